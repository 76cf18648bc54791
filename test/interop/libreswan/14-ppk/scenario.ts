/** libreswan with a post-quantum pre-shared key that it insists on (RFC 8784); its resumption goes on from those keys. */
import assert from 'node:assert/strict';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'insists on a post-quantum pre-shared key, rekeys, and resumes from the mixed keys; no session without it',
  async run(lab) {
    const gateway = await lab.gateway({ ppks: { laptop: 'a-ppk-of-32-characters-and-more-0' } });
    const peer = await lab.libreswan('initiator');
    await peer.add('insists');
    await lab.step('the key is mixed in', async () => {
      const said = await peer.up('insists');
      assert.match(said, /PPK/);
      await gateway.logged({ event: 'established', kind: 'full', postQuantum: true });
    });
    await lab.step('rekeys and a resumption go on from those keys', async () => {
      await peer.must('whack', '--rekey-ike', '--name', 'insists');
      await gateway.logged({ event: 'ike-rekeyed' });
      await peer.must('whack', '--rekey-child', '--name', 'insists');
      await gateway.logged({ event: 'child-rekeyed' });
      await peer.suspend('insists');
      await peer.up('insists');
      await gateway.logged({ event: 'established', kind: 'resumed', postQuantum: true });
      await peer.must('down', 'insists');
      await gateway.kill();
    });
    await lab.step('a gateway that has another one gets no session', async () => {
      const other = await lab.gateway({
        ordinal: 1,
        settings: { tickets: { enabled: false } },
        ppks: { phone: 'another-ppk-of-32-characters-and-more' },
      });
      await peer.fails('insists');
      await other.logged({ event: 'refused', notify: 'AUTHENTICATION_FAILED' });
    });
  },
};
