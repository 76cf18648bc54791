/** A post-quantum pre-shared key (RFC 8784): demanded by the peer, and one that the gateway does not have and the peer can do without. */
import assert from 'node:assert/strict';
import { INNER } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'a post-quantum pre-shared key is mixed in; without one in common NO_PPK_AUTH counts, unless the policy demands one',
  async run(lab) {
    const gateway = await lab.gateway({ ppks: { laptop: 'a-ppk-of-32-characters-and-more-0' } });
    const peer = await lab.strongSwan('initiator');
    await lab.step('the key that the peer demands', async () => {
      await peer.initiate('net');
      await peer.says(/using PPK for PPK_ID 'laptop'/);
      const { inner } = await gateway.session();
      await lab.ping(inner.ipv4, INNER.ipv4);
    });
    await lab.step('rekeys go on from those keys', async () => {
      const { inner } = await gateway.session();
      await peer.must('--rekey', '--ike', 'psk');
      await gateway.logged({ event: 'ike-rekeyed' });
      await peer.must('--rekey', '--child', 'net');
      await gateway.logged({ event: 'child-rekeyed' });
      await lab.ping(inner.ipv4, INNER.ipv4);
      await peer.must('--terminate', '--ike', 'psk');
    });
    await lab.step('a key that the gateway does not have, and the peer can do without', async () => {
      await peer.initiate('other');
      await gateway.session(2);
      await peer.must('--terminate', '--ike', 'lenient');
    });
    await lab.step('the same at a gateway that demands one', async () => {
      await gateway.reload({ settings: { ike: { ppk: 'required' } } });
      const { status, text } = await peer.tryToInitiate('other');
      assert.notEqual(status, 0, text);
      await gateway.logged({ event: 'refused', notify: 'AUTHENTICATION_FAILED' });
    });
  },
};
