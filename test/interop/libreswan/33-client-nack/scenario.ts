/** libreswan keeps the key of its tickets in memory: after a restart it answers TICKET_NACK, and our client goes on with a full exchange. */
import assert from 'node:assert/strict';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'a restarted gateway answers TICKET_NACK, and a full exchange follows in the same attempt',
  async run(lab) {
    const peer = await lab.libreswan('responder');
    await peer.add('psk');
    const client = lab.client('--dead-peer', '1s');
    await client.tells('ticket');

    await lab.step('the ticket is refused', async () => {
      await peer.restart();
      await peer.add('psk');
      await client.tells('dead-peer');
      await client.tells('nacked');
    });
    await lab.step('a full exchange follows, with a new ticket', async () => {
      const [, after] = await client.tells('established', { times: 2 });
      assert.deepEqual([after?.kind, after?.keyExchanges], ['full', 1]);
      await client.tells('ticket', { times: 2 });
      await peer.says(/responder established Child SA/);
    });
  },
};
