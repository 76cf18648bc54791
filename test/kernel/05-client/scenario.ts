/** Our client, with ESP in its own process, and the kernel of a gateway: two implementations of ours that share no code for packets. */
import assert from 'node:assert/strict';
import { BulkServer } from '../../interop/lab/bulk.ts';
import { Flood } from '../lab/flood.ts';
import { DUAL_POOLS } from '../lab/gateway-pod.ts';
import { SERVER } from '../lab/kernel-lab.ts';
import type { Scenario } from '../lab/kernel-scenario.ts';
import { policiesOf, statesOf } from '../lab/kernel-state.ts';

const BYTES = 2_000_000;

export const scenario: Scenario = {
  title: 'our client: pings and bulk transfers over both families, counted alike on both sides; nothing is left when it goes',
  roots: [],
  limitMs: 90_000,
  async run(lab) {
    const pod = await lab.pod(0, { settings: DUAL_POOLS });
    const client = lab.client();
    const inner = await lab.clientReady(client);

    await lab.step('pings of both families pass, none is lost', async () => {
      await lab.ping(inner.ipv4, SERVER.ipv4);
      await lab.ping(inner.ipv6, SERVER.ipv6);
      const flood = await Flood.start(lab.initiator, inner.ipv4, SERVER.ipv4, 5);
      await flood.more(200);
      const { sent, lost } = await flood.stop();
      assert.equal(lost, 0, `${lost} of ${sent} pings lost`);
    });
    await lab.step('what is fetched and what is sent arrives whole', async () => {
      for (const [address, from] of [
        [SERVER.ipv4, inner.ipv4],
        [SERVER.ipv6, inner.ipv6],
      ] as const) {
        const server = await BulkServer.start(lab.server, address, BYTES);
        lab.note(`${(await server.fetch(lab.initiator, from)).toFixed(0)} Mbit/s from ${address} to our client`);
      }
    });
    await lab.step('the sidecar has heard from the agent what the kernel counted', async () => {
      await lab.eventually(async () => {
        assert.ok((await pod.sidecar.metric('esp_bytes_total', { direction: 'out' })) > 2 * BYTES);
        assert.ok((await pod.sidecar.metric('esp_packets_total', { direction: 'in' })) > 200);
      });
    });
    await lab.step('when it goes, nothing is left', async () => {
      await client.stop();
      await lab.eventually(async () => assert.deepEqual([await statesOf(pod.machine), await policiesOf(pod.machine)], [[], 0]));
    });
  },
};
