/** libreswan sends a DELETE when it suspends, and presents its ticket later all the same. Whether that is good is the gateway's to say. */
import assert from 'node:assert/strict';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'after a DELETE the ticket is good by default, and refused with revokeOnDelete',
  async run(lab) {
    const gateway = await lab.gateway();
    const peer = await lab.libreswan('initiator');
    await peer.add('psk');
    await peer.up('psk');

    await lab.step('by default it resumes', async () => {
      await peer.suspend('psk');
      await gateway.logged({ event: 'closed', why: 'deleted by peer' });
      assert.equal((await gateway.status()).sessions, 0);
      await peer.up('psk');
      const [before, after] = [await gateway.session(1), await gateway.session(2)];
      assert.deepEqual([after.kind, after.inner], ['resumed', before.inner]);
    });
    await lab.step('with revokeOnDelete it does not', async () => {
      await gateway.reload({ settings: { tickets: { revokeOnDelete: true } } });
      await peer.suspend('psk');
      await gateway.logged({ event: 'closed', why: 'deleted by peer' }, 2);
      await peer.up('psk');
      await gateway.logged({ event: 'ticket-refused', reason: 'spent' });
      assert.equal((await gateway.session(3)).kind, 'full');
    });
  },
};
