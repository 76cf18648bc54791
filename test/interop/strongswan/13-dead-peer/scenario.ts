/** Liveness in both directions (RFC 7296 §2.4): who answers lives; who is silent is dropped. */
import assert from 'node:assert/strict';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'liveness is asked and answered in both directions; a killed peer is found dead',
  async run(lab) {
    const gateway = await lab.gateway({ settings: { ike: { deadPeer: '2s', retransmit: { first: '100ms', attempts: 4 } } } });
    const peer = await lab.strongSwan('initiator');
    await peer.initiate('net');
    await gateway.session();

    await lab.step('the peer asks, we answer', async () => {
      await peer.says(/generating INFORMATIONAL request \d+ \[ \]/);
      await peer.says(/parsed INFORMATIONAL response \d+ \[ \]/);
    });
    await lab.step('we ask a peer that does not, it answers', async () => {
      await peer.must('--terminate', '--ike', 'psk');
      await peer.initiate('quiet');
      await peer.says(/parsed INFORMATIONAL request 0 \[ \]/);
      await peer.says(/generating INFORMATIONAL response 0 \[ \]/);
      assert.equal((await gateway.status()).sessions, 1);
    });
    await lab.step('the peer is killed: its session ends', async () => {
      await peer.kill();
      await gateway.logged({ event: 'closed', why: 'peer dead' });
      assert.equal((await gateway.status()).sessions, 0);
      assert.equal(await gateway.metric('sessions_closed_total', { why: 'peer_dead' }), 1);
    });
  },
};
