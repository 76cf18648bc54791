/** The agent dies and comes back: the kernel goes on by itself, nothing new is promised meanwhile, and what both know is left alone. */
import assert from 'node:assert/strict';
import { Flood } from '../lab/flood.ts';
import { DUAL_POOLS } from '../lab/gateway-pod.ts';
import { innerAddresses } from '../lab/inner-addresses.ts';
import { SERVER } from '../lab/kernel-lab.ts';
import type { Scenario } from '../lab/kernel-scenario.ts';
import { statesOf } from '../lab/kernel-state.ts';

export const scenario: Scenario = {
  title: 'the agent is killed and comes back with traffic running: no ping is lost, no child is promised while it is away',
  roots: ['strongswan'],
  limitMs: 120_000,
  async run(lab) {
    const pod = await lab.pod(0, { settings: DUAL_POOLS });
    const peer = await lab.strongSwan();
    await peer.initiate('inner');
    const inner = await innerAddresses(lab.initiator);
    const spis = async () => (await statesOf(pod.machine)).map(({ spi }) => spi).sort();
    const before = await spis();
    const flood = await Flood.start(lab.initiator, inner.ipv4, SERVER.ipv4);

    await lab.step('it is killed: traffic goes on, the pod is not ready, a new child is refused', async () => {
      await flood.more(50);
      await pod.agent.kill();
      await lab.eventually(async () => assert.equal((await pod.sidecar.status()).ready, false));
      assert.notEqual((await peer.tryToInitiate('aes128gcm')).status, 0);
      await flood.more(50);
      assert.deepEqual(await spis(), before);
    });
    await lab.step('it comes back: the same SAs, undisturbed, and the pod is ready', async () => {
      await pod.agent.startAgain();
      await lab.eventually(async () => assert.equal((await pod.sidecar.status()).ready, true));
      await flood.more(50);
      assert.deepEqual(await spis(), before);
    });
    await lab.step('the next rekey and a new session are carried', async () => {
      await peer.must('--rekey', '--child', 'inner');
      await flood.more(50);
      const { sent, lost } = await flood.stop();
      lab.note(`${lost} of ${sent} pings lost over the death of the agent, its return and a rekey`);
      assert.equal(lost, 0);
      await peer.must('--terminate', '--ike', 'inner');
      await lab.eventually(async () => assert.deepEqual(await statesOf(pod.machine), []));
      await peer.initiate('aes128gcm');
      await lab.ping((await innerAddresses(lab.initiator)).ipv4, SERVER.ipv4);
    });
  },
};
