/** The IKE SA begins without a child, which follows in an exchange of its own (RFC 6023). */
import assert from 'node:assert/strict';
import { INNER } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'an IKE SA without a child, then a child; a gateway that does not want that',
  async run(lab) {
    const gateway = await lab.gateway();
    const peer = await lab.strongSwan('initiator');

    await lab.step('IKE_AUTH without a child, with an inner address', async () => {
      await peer.initiate('net');
      await peer.says(/parsed IKE_SA_INIT response 0 .*N\(CHDLESS_SUP\)/);
      const [said = ''] = await peer.says(/generating IKE_AUTH request 1/);
      assert.doesNotMatch(said, /TSi/);
    });
    await lab.step('the child follows in CREATE_CHILD_SA, and pings pass', async () => {
      await peer.says(/generating CREATE_CHILD_SA request 2/);
      await gateway.logged({ event: 'child-installed' });
      const { inner } = await gateway.session();
      await lab.ping(inner.ipv4, INNER.ipv4);
    });
    await lab.step('a gateway that never begins so does not say that it can', async () => {
      await peer.must('--terminate', '--ike', 'psk');
      await gateway.reload({ settings: { childless: 'never' } });
      assert.notEqual((await peer.tryToInitiate('net')).status, 0);
      await peer.says(/peer does not support childless IKE_SA initiation/);
      await lab.eventually(async () => assert.equal((await gateway.status()).sessions, 0));
    });
  },
};
