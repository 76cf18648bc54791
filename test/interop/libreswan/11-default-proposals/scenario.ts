/** What libreswan proposes when it is told nothing, to a gateway that is told nothing; and what it does after a restart. */
import assert from 'node:assert/strict';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'the default proposals of both sides fit; INITIAL_CONTACT after a restart',
  async run(lab) {
    const gateway = await lab.gateway();
    const peer = await lab.libreswan('initiator');
    await peer.add('psk');

    await lab.step('a session, rekeyed', async () => {
      assert.match(await peer.up('psk'), /cipher=AES_GCM_16_256 .*group=DH19/);
      await peer.must('whack', '--rekey-ike', '--name', 'psk');
      await gateway.logged({ event: 'ike-rekeyed' });
      await peer.must('whack', '--rekey-child', '--name', 'psk');
      await gateway.logged({ event: 'child-rekeyed' });
    });
    await lab.step('the session of before a restart gives way, with its address', async () => {
      await peer.restart();
      await peer.add('psk');
      await peer.up('psk');
      await gateway.logged({ event: 'closed', why: 'superseded by initial contact' });
      const [before, after] = [await gateway.session(1), await gateway.session(2)];
      assert.deepEqual(after.inner, before.inner);
      assert.equal((await gateway.status()).sessions, 1);
    });
  },
};
