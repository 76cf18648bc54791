/** The data plane in user space behind the same wall: the agent makes the TUN device and hands it over, the sidecar has no capability. */
import assert from 'node:assert/strict';
import { BulkServer } from '../../interop/lab/bulk.ts';
import { Flood } from '../lab/flood.ts';
import { DUAL_POOLS } from '../lab/gateway-pod.ts';
import { innerAddresses } from '../lab/inner-addresses.ts';
import { SERVER } from '../lab/kernel-lab.ts';
import type { Scenario } from '../lab/kernel-scenario.ts';
import { statesOf } from '../lab/kernel-state.ts';

const BYTES = 1_000_000;

export const scenario: Scenario = {
  title:
    'user-space ESP without any capability: the agent hands its TUN device over, strongSwan has its kernel; the agent comes back',
  roots: ['strongswan'],
  limitMs: 120_000,
  async run(lab) {
    const pod = await lab.pod(0, { settings: DUAL_POOLS, dataplane: { dataplane: 'userspace' } });
    const peer = await lab.strongSwan();

    await lab.step('the sidecar has no capability; nothing of ESP is in its kernel; pings and a transfer pass', async () => {
      pod.assertPrivileges();
      await peer.initiate('inner');
      const inner = await innerAddresses(lab.initiator);
      await lab.ping(inner.ipv4, SERVER.ipv4);
      await lab.ping(inner.ipv6, SERVER.ipv6);
      const server = await BulkServer.start(lab.server, SERVER.ipv4, BYTES);
      lab.note(`${(await server.fetch(lab.initiator, inner.ipv4)).toFixed(0)} Mbit/s through user-space ESP`);
      assert.deepEqual(await statesOf(pod.machine), []);
    });
    await lab.step('the agent is killed and comes back: no ping is lost', async () => {
      const flood = await Flood.start(lab.initiator, (await innerAddresses(lab.initiator)).ipv4, SERVER.ipv4);
      await pod.agent.kill();
      await flood.more(50);
      await pod.agent.startAgain();
      await lab.eventually(async () => assert.equal((await pod.sidecar.status()).ready, true));
      await flood.more(50);
      const { sent, lost } = await flood.stop();
      lab.note(`${lost} of ${sent} pings lost over the death of the agent and its return`);
      assert.equal(lost, 0);
    });
    await lab.step('a rekey, and a DELETE', async () => {
      await peer.must('--rekey', '--child', 'inner');
      await lab.ping((await innerAddresses(lab.initiator)).ipv4, SERVER.ipv4);
      await peer.must('--terminate', '--ike', 'inner');
      assert.equal((await pod.sidecar.status()).sessions, 0);
    });
  },
};
