/** Every way to revoke leads to TICKET_NACK and a full exchange right after it (RFC 5723 §4.3.2, §6.2). */
import assert from 'node:assert/strict';
import { USER } from '../../lab/gateway.ts';
import { fresh, revoked, revokedBefore } from '../../lab/ring.ts';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'tickets of a revoked key, time or user get TICKET_NACK, and a full exchange follows',
  async run(lab) {
    const gateway = await lab.gateway({ ring: fresh() });
    const peer = await lab.libreswan('initiator');
    await peer.add('psk');
    await peer.up('psk');
    let sessions = 1;
    const isRefused = async (reason: string): Promise<void> => {
      const said = await peer.up('psk');
      assert.match(said, /sent IKE_SESSION_RESUME request/);
      assert.match(said, /TICKET_NACK/);
      assert.match(said, /authenticated peer using authby=secret/);
      await gateway.logged({ event: 'ticket-refused', reason });
      assert.equal((await gateway.session(++sessions)).kind, 'full');
      assert.equal(await gateway.metric('resumptions_total', { outcome: reason }), 1);
    };

    await lab.step('by time', async () => {
      await peer.suspend('psk');
      await gateway.reload({ ring: revokedBefore() });
      await isRefused('revoked-time');
    });
    await lab.step('by key', async () => {
      await peer.suspend('psk');
      await gateway.reload({ ring: revoked() });
      await isRefused('revoked-key');
    });
    await lab.step('by user', async () => {
      await peer.suspend('psk');
      await gateway.reload({ settings: { tickets: { revokedIdentities: [USER] } } });
      await isRefused('revoked-identity');
    });
  },
};
