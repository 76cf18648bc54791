/** The same ticket again: welcome while it has led to nothing, refused once a session came of it (RFC 5723 §4.3.1, §9.1). */
import assert from 'node:assert/strict';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'a ticket may be presented again when the response was lost, but never after it was used',
  async run(lab) {
    const gateway = await lab.gateway();
    const relay = await lab.relay();
    const peer = await lab.libreswan('initiator');
    await peer.add('psk');
    await peer.leaveSilently();
    await peer.up('psk');

    await lab.step('the response to IKE_SESSION_RESUME is lost: the same ticket is good', async () => {
      await peer.suspend('psk');
      await relay.loseExchange('IKE_SESSION_RESUME', 'to client');
      await peer.fails('psk');
      await relay.lose('nothing');
      // It tries again by itself.
      assert.equal((await gateway.session(2)).kind, 'resumed');
      await peer.says(/established Child SA/, 2);
    });
    await lab.step('the request of the resumption comes again, from a stranger: the ticket is spent', async () => {
      await relay.replay('IKE_SESSION_RESUME');
      await gateway.logged({ event: 'ticket-refused', reason: 'spent' });
      assert.equal((await gateway.status()).sessions, 1);
      assert.equal(await gateway.metric('resumptions_total', { outcome: 'spent' }), 1);
    });
    await lab.step('the session does not suffer, its new ticket is good', async () => {
      await peer.suspend('psk');
      await peer.up('psk');
      assert.equal((await gateway.session(3)).kind, 'resumed');
    });
  },
};
