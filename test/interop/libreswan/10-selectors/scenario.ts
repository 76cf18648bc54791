/**
 * libreswan sometimes asks for an inner address and proposes selectors that cannot hold it: then RFC 7296 §2.9 leaves TS_UNACCEPTABLE
 * only. strongSwan answers the same; libreswan as responder takes no notice of the selectors when it assigns an address.
 */
import assert from 'node:assert/strict';
import { fresh, revoked } from '../../lab/ring.ts';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'selectors that cannot hold the assigned address: the IKE SA stands, its child gets TS_UNACCEPTABLE',
  async run(lab) {
    const gateway = await lab.gateway({ ring: fresh() });
    const peer = await lab.libreswan('initiator');
    await peer.leaveSilently();

    await lab.step('its outer address, when leftsubnet is not set', async () => {
      await peer.add('host');
      assert.match(await peer.fails('host'), /rejected Child SA with TS_UNACCEPTABLE/);
      assert.equal((await gateway.status()).sessions, 1);
      await peer.must('whack', '--delete', '--name', 'host');
    });
    await lab.step('its former address, when its ticket is refused and the former session still has that address', async () => {
      await peer.add('all');
      await peer.up('all');
      await peer.suspend('all');
      await gateway.reload({ ring: revoked() });
      assert.match(await peer.fails('all'), /TICKET_NACK[\s\S]*rejected Child SA with TS_UNACCEPTABLE/);
      const [, before, after] = [await gateway.session(1), await gateway.session(2), await gateway.session(3)];
      assert.notEqual(after.inner.ipv4, before.inner.ipv4);
    });
  },
};
