/** The sidecar dies and comes back: nobody knows its sessions, so their SAs go; the client resumes into the new process. */
import assert from 'node:assert/strict';
import { Flood } from '../lab/flood.ts';
import { DUAL_POOLS } from '../lab/gateway-pod.ts';
import { SERVER } from '../lab/kernel-lab.ts';
import type { Scenario } from '../lab/kernel-scenario.ts';
import { policiesOf, statesOf } from '../lab/kernel-state.ts';

export const scenario: Scenario = {
  title: 'the sidecar is killed and comes back with traffic running: its SAs are removed, our client resumes',
  roots: [],
  limitMs: 90_000,
  async run(lab) {
    const pod = await lab.pod(0, { settings: DUAL_POOLS });
    const client = lab.client('--dead-peer', '4s');
    const inner = await lab.clientReady(client);
    const before = (await statesOf(pod.machine)).map(({ spi }) => spi);
    const flood = await Flood.start(lab.initiator, inner.ipv4, SERVER.ipv4);

    await lab.step('SIGKILL and a new process: no SA of the old one is left', async () => {
      await flood.more(50);
      await pod.restartSidecar();
      await lab.eventually(async () => {
        const now = (await statesOf(pod.machine)).map(({ spi }) => spi);
        assert.ok(
          before.every((spi) => !now.includes(spi)),
          `${now.length} states`,
        );
      });
    });
    await lab.step('the client resumes, with its address', async () => {
      const [, resumed] = await client.tells('established', { times: 2 });
      assert.equal(resumed?.kind, 'resumed');
      assert.ok(resumed?.inner.includes(inner.ipv4));
      await flood.more(50);
      const { sent, lost, gapMs } = await flood.stop();
      lab.note(`${lost} of ${sent} pings lost (${gapMs} ms) over the death of the sidecar and the resumption`);
      assert.equal((await statesOf(pod.machine)).length, 2);
    });
    await lab.step('the sidecar ends in good order: nothing is left', async () => {
      await pod.sidecar.stop();
      await lab.eventually(async () => assert.deepEqual([await statesOf(pod.machine), await policiesOf(pod.machine)], [[], 0]));
    });
  },
};
