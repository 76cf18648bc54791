/** Our client connects to libreswan; no data flows there. */
import assert from 'node:assert/strict';
import { GATEWAY_ID } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'our client connects, gets an inner address and a ticket, deletes',
  async run(lab) {
    const peer = await lab.libreswan('responder');
    await peer.add('psk');
    const client = lab.client();

    await lab.step('a full handshake', async () => {
      const [established] = await client.tells('established');
      assert.deepEqual([established?.kind, established?.remoteId, established?.roundTrips], ['full', GATEWAY_ID, 2]);
      assert.deepEqual([established?.inner, established?.routes], [['10.8.0.10'], ['10.20.0.0/16']]);
      await peer.says(/responder established IKE SA; authenticated peer using authby=secret/);
      await peer.says(/responder established Child SA using #1.*ESPinUDP/);
    });
    await lab.step('a ticket for an hour', async () => {
      const [ticket] = await client.tells('ticket');
      assert.ok(Math.abs((ticket?.lifetimeMs ?? 0) - 3_600_000) < 60_000, JSON.stringify(ticket));
    });
    await lab.step('it deletes its session', async () => {
      await client.stop();
      await peer.says(/deleting IKE SA \(established IKE SA\)/);
    });
  },
};
