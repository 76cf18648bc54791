/** A peer changes its address (RFC 4555): the child stays, with its keys and counters, at another path. */
import assert from 'node:assert/strict';
import { Flood } from '../lab/flood.ts';
import { DUAL_POOLS } from '../lab/gateway-pod.ts';
import { innerAddresses } from '../lab/inner-addresses.ts';
import { OTHER, OUTER, SERVER } from '../lab/kernel-lab.ts';
import type { Scenario } from '../lab/kernel-scenario.ts';
import { statesOf } from '../lab/kernel-state.ts';

export const scenario: Scenario = {
  title: 'strongSwan moves to another network and back with pings running: the same SAs in the kernel, at another path',
  roots: ['strongswan'],
  limitMs: 90_000,
  async run(lab) {
    const pod = await lab.pod(0, { settings: DUAL_POOLS });
    const peer = await lab.strongSwan();
    await peer.initiate('inner');
    const inner = await innerAddresses(lab.initiator);
    const before = await statesOf(pod.machine);
    const flood = await Flood.start(lab.initiator, inner.ipv4, SERVER.ipv4);

    await lab.step('its first network is gone: it tells from the other one, and traffic follows', async () => {
      await lab.initiator.must('ip', 'route', 'del', 'default', 'via', '10.96.0.254');
      await lab.initiator.must('ip', 'address', 'del', `${OUTER.ipv4}/24`, 'dev', OUTER.device);
      await pod.sidecar.logged({ event: 'moved' });
      await flood.more(100);
      const states = await statesOf(pod.machine);
      assert.deepEqual(states.map(({ spi }) => spi).sort(), before.map(({ spi }) => spi).sort());
      // What comes is found by our address alone, so the kernel may go on to name the former one there.
      assert.ok(
        states.some(({ destination }) => destination === OTHER.ipv4),
        JSON.stringify(states),
      );
      assert.ok(!states.some(({ destination }) => destination === OUTER.ipv4));
      assert.ok(states.every(({ packets }, index) => packets > (before[index]?.packets ?? 0)));
    });
    await lab.step('and back', async () => {
      await lab.initiator.must('ip', 'address', 'add', `${OUTER.ipv4}/24`, 'dev', OUTER.device);
      await lab.initiator.must('ip', 'route', 'add', 'default', 'via', '10.96.0.254');
      await lab.initiator.must('ip', 'address', 'del', `${OTHER.ipv4}/24`, 'dev', OTHER.device);
      await pod.sidecar.logged({ event: 'moved' }, 2);
      await flood.more(100);
    });
    await lab.step('rekeys and a DELETE work there', async () => {
      const { sent, lost, gapMs } = await flood.stop();
      lab.note(`${lost} of ${sent} pings lost (at most ${gapMs} ms) over two moves`);
      await peer.must('--rekey', '--child', 'inner');
      await lab.ping(inner.ipv4, SERVER.ipv4);
      await lab.ping(inner.ipv6, SERVER.ipv6);
      await peer.must('--terminate', '--ike', 'inner');
      await lab.eventually(async () => assert.deepEqual(await statesOf(pod.machine), []));
    });
  },
};
