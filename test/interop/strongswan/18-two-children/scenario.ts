/** A further child under the same IKE SA (RFC 7296 §1.3.1), and the end of one of them (§1.4.1). */
import assert from 'node:assert/strict';
import { DUAL, INNER } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'a further child with other selectors and a key exchange of its own; one of two is deleted',
  async run(lab) {
    const gateway = await lab.gateway({ settings: DUAL });
    const peer = await lab.strongSwan('initiator');
    await peer.initiate('first');
    const { inner } = await gateway.session();

    await lab.step('each carries its traffic', async () => {
      await peer.initiate('second');
      await gateway.logged({ event: 'child-installed' }, 2);
      await lab.ping(inner.ipv4, INNER.ipv4);
      await lab.ping(inner.ipv6, INNER.ipv6);
      assert.equal((await gateway.status()).sessions, 1);
    });
    await lab.step('the peer deletes the first one; the second goes on', async () => {
      await peer.must('--terminate', '--child', 'first');
      await gateway.logged({ event: 'child-removed' });
      await lab.ping(inner.ipv6, INNER.ipv6);
      assert.equal((await gateway.status()).sessions, 1);
    });
  },
};
