/** Rekeys by either side with pings running all the time: none is lost (RFC 7296 §2.8: installed inwards before it is used outwards). */
import assert from 'node:assert/strict';
import { BulkServer } from '../../interop/lab/bulk.ts';
import { Flood } from '../lab/flood.ts';
import { DUAL_POOLS } from '../lab/gateway-pod.ts';
import { innerAddresses } from '../lab/inner-addresses.ts';
import { SERVER } from '../lab/kernel-lab.ts';
import type { Scenario } from '../lab/kernel-scenario.ts';
import { statesOf } from '../lab/kernel-state.ts';

const BYTES = 5_000_000;
/** The kernel says so at nine tenths of it, which the transfer reaches in its course, and drops what comes beyond it. */
const LIFETIME_BYTES = 6_000_000;
const INTERVAL_MS = 10;

export const scenario: Scenario = {
  title: 'rekeys under load, by the peer and by the gateway when the kernel has counted enough bytes: no ping is lost',
  roots: ['strongswan'],
  limitMs: 120_000,
  async run(lab) {
    const pod = await lab.pod(0, { settings: DUAL_POOLS, dataplane: { lifetimeBytes: LIFETIME_BYTES } });
    const peer = await lab.strongSwan();
    await peer.initiate('inner');
    const inner = await innerAddresses(lab.initiator);
    const floods = [
      await Flood.start(lab.initiator, inner.ipv4, SERVER.ipv4, INTERVAL_MS),
      await Flood.start(lab.initiator, inner.ipv6, SERVER.ipv6, INTERVAL_MS),
    ];

    await lab.step('the peer rekeys the child three times, and the IKE SA', async () => {
      for (const times of [1, 2, 3]) {
        await peer.must('--rekey', '--child', 'inner');
        await pod.sidecar.logged({ event: 'child-rekeyed' }, times);
        await floods[0]?.more(50);
      }
      await peer.must('--rekey', '--ike', 'inner');
      await pod.sidecar.logged({ event: 'ike-rekeyed' });
    });
    await lab.step(
      'the gateway rekeys, since the kernel says that a child has carried enough; the transfer goes on',
      async () => {
        const before = pod.sidecar.log({ event: 'child-rekeyed' }).length;
        const server = await BulkServer.start(lab.server, SERVER.ipv4, BYTES);
        await server.fetch(lab.initiator, inner.ipv4);
        await pod.sidecar.logged({ event: 'child-rekeyed' }, before + 1);
        await floods[0]?.more(50);
      },
    );
    await lab.step('no ping was lost, and only one child is left', async () => {
      for (const flood of floods) {
        const { sent, lost } = await flood.stop();
        lab.note(`${lost} of ${sent} pings lost over ${pod.sidecar.log({ event: 'child-rekeyed' }).length} rekeys`);
        assert.equal(lost, 0);
      }
      await lab.eventually(async () => assert.equal((await statesOf(pod.machine)).length, 2));
    });
  },
};
