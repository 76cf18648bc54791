/** A ticket after its time (RFC 5723 §4.3.2): TICKET_NACK, and a full exchange at once. libreswan drops such a ticket by itself, unless its request is late. */
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import type { Scenario } from '../../lab/scenario.ts';

const LIFETIME_MS = 2_000;
const tooLate = (): Promise<void> => pause(LIFETIME_MS + 200);

export const scenario: Scenario = {
  title: 'a ticket after its time is not presented; one that arrives too late is refused; a full exchange follows',
  async run(lab) {
    const gateway = await lab.gateway({ settings: { tickets: { lifetime: `${LIFETIME_MS / 1_000}s` } } });
    const relay = await lab.relay();
    const peer = await lab.libreswan('initiator');
    await peer.add('psk');
    await peer.up('psk');
    await gateway.logged({ event: 'ticket-sealed', lifetimeMs: LIFETIME_MS });

    await lab.step('in time it resumes', async () => {
      await peer.suspend('psk');
      await peer.up('psk');
      assert.equal((await gateway.session(2)).kind, 'resumed');
    });
    await lab.step('too late it does not even try', async () => {
      await peer.suspend('psk');
      await tooLate();
      assert.match(await peer.up('psk'), /ticket expired .*, dropping it/);
      assert.equal((await gateway.session(3)).kind, 'full');
    });
    await lab.step('its request is under way too long: TICKET_NACK, and a full exchange follows', async () => {
      await peer.suspend('psk');
      await gateway.logged({ event: 'closed', why: 'deleted by peer' }, 3);
      await relay.hold();
      const up = peer.up('psk');
      await relay.holds('IKE_SESSION_RESUME', 'to gateway');
      await tooLate();
      await relay.release();
      assert.match(await up, /TICKET_NACK/);
      await gateway.logged({ event: 'ticket-refused', reason: 'expired' });
      assert.equal((await gateway.session(4)).kind, 'full');
      assert.ok((await gateway.metric('resumptions_total', { outcome: 'expired' })) >= 1);
    });
  },
};
