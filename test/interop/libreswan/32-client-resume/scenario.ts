/**
 * libreswan 5.2 computes AUTH after a resumption in a form of its own, prf(SK_p, first message), where RFC 5723 §4.3.3 points to RFC
 * 7296 §2.15. Our client says what the RFC says, is refused, and goes on with a full exchange.
 */
import assert from 'node:assert/strict';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'a resumption is refused for the form of AUTH, and a full exchange follows in the same attempt',
  async run(lab) {
    const peer = await lab.libreswan('responder');
    await peer.add('psk');
    const client = lab.client('--dead-peer', '1s');
    await client.tells('ticket');

    await lab.step('libreswan falls silent, our client presents its ticket', async () => {
      peer.signal('SIGSTOP');
      await client.tells('dead-peer');
      await client.tells('resuming');
      peer.signal('SIGCONT');
    });
    await lab.step('the ticket opens; AUTH is refused', async () => {
      await peer.says(/responder processed IKE_SESSION_RESUME; sent IKE_SESSION_RESUME response/);
      await peer.says(/authentication failed: computed hash does not match hash received from peer/);
      const [refused] = await client.tells('refused');
      assert.deepEqual([refused?.by, refused?.exchange, refused?.notify], ['peer', 'IKE_AUTH', 'AUTHENTICATION_FAILED']);
    });
    await lab.step('a full exchange follows, with the former address and a new ticket', async () => {
      const [before, after] = await client.tells('established', { times: 2 });
      assert.equal(after?.kind, 'full');
      assert.deepEqual(after?.inner, before?.inner);
      await client.tells('ticket', { times: 2 });
    });
  },
};
