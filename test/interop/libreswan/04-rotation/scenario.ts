/** The key that sealed the ticket retires: its tickets still open, the next is sealed with the new key. */
import assert from 'node:assert/strict';
import { FIRST_KEY, fresh, rotated, SECOND_KEY } from '../../lab/ring.ts';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'a ticket of a retired key opens; the next one comes from the new key',
  async run(lab) {
    const gateway = await lab.gateway({ ring: fresh() });
    const peer = await lab.libreswan('initiator');
    await peer.add('psk');
    await peer.leaveSilently();
    await peer.up('psk');
    await gateway.logged({ event: 'ticket-sealed', keyId: FIRST_KEY });
    await peer.suspend('psk');

    await lab.step('the ring is rotated under a running gateway', async () => {
      await gateway.reload({ ring: rotated() });
      assert.equal((await gateway.status()).keyRing?.generation, 2);
    });
    await lab.step('the old ticket opens, the new one is of the new key', async () => {
      await peer.up('psk');
      assert.equal((await gateway.session(2)).kind, 'resumed');
      await gateway.logged({ event: 'ticket-opened', keyId: FIRST_KEY });
      await gateway.logged({ event: 'ticket-sealed', keyId: SECOND_KEY });
    });
    await lab.step('that one opens too', async () => {
      await peer.suspend('psk');
      await peer.up('psk');
      assert.equal((await gateway.session(3)).kind, 'resumed');
      await gateway.logged({ event: 'ticket-opened', keyId: SECOND_KEY });
    });
  },
};
