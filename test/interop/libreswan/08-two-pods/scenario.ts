/** As through a Service in a cluster: two pods, one address; the client's pod is killed, and the flow leads to the other one. */
import assert from 'node:assert/strict';
import type { Scenario } from '../../lab/scenario.ts';

const PODS = ['10.96.0.10', '10.96.0.11'] as const;

export const scenario: Scenario = {
  title: 'two pods behind one address: the pod is killed, resumes at its sibling with its address',
  async run(lab) {
    const [first, second] = await Promise.all([lab.pod(0, PODS), lab.pod(1, PODS)]);
    const relay = await lab.relay(PODS[0]);
    const peer = await lab.libreswan('initiator');
    await peer.add('psk');
    await peer.leaveSilently();
    await peer.up('psk');
    const before = await first.session();

    await lab.step('the sibling goes on', async () => {
      await first.kill();
      await relay.retarget(PODS[1]);
      await peer.suspend('psk');
      await peer.up('psk');
      const after = await second.session();
      assert.deepEqual([after.kind, after.inner], ['resumed', before.inner]);
      assert.equal((await second.status()).sessions, 1);
    });
  },
};
