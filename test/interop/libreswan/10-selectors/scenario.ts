/**
 * libreswan sometimes asks for an inner address and proposes selectors that cannot hold it. RFC 7296 §2.9 would leave TS_UNACCEPTABLE
 * only, as strongSwan answers; the address that we assign in the same exchange is what libreswan as responder answers, and takes.
 */
import assert from 'node:assert/strict';
import { fresh, revoked } from '../../lab/ring.ts';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'selectors that cannot hold the assigned address: the child gets that address all the same',
  async run(lab) {
    const gateway = await lab.gateway({ ring: fresh() });
    const peer = await lab.libreswan('initiator');
    await peer.leaveSilently();

    await lab.step('its outer address, when leftsubnet is not set', async () => {
      await peer.add('host');
      await peer.up('host');
      assert.equal((await gateway.status()).sessions, 1);
      await peer.must('whack', '--delete', '--name', 'host');
    });
    await lab.step('its former address, when its ticket is refused and the former session still has that address', async () => {
      await peer.add('all');
      await peer.up('all');
      await peer.suspend('all');
      await gateway.reload({ ring: revoked() });
      await peer.up('all');
      const [, before, after] = [await gateway.session(1), await gateway.session(2), await gateway.session(3)];
      assert.notEqual(after.inner.ipv4, before.inner.ipv4);
    });
  },
};
