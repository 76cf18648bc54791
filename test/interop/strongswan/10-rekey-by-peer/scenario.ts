/** The peer rekeys child and IKE SA (RFC 7296 §1.3.2, §1.3.3, §2.8); the tunnel goes on. */
import assert from 'node:assert/strict';
import { INNER } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'the peer rekeys children with and without PFS, and the IKE SA, and goes on',
  async run(lab) {
    const gateway = await lab.gateway();
    const peer = await lab.strongSwan('initiator');
    const ping = async (nth: number) => lab.ping((await gateway.session(nth)).inner.ipv4, INNER.ipv4);

    await lab.step('a child with a key exchange of its own', async () => {
      await peer.initiate('pfs');
      await peer.must('--rekey', '--child', 'pfs');
      await gateway.logged({ event: 'child-rekeyed' });
      await gateway.logged({ event: 'child-removed' });
      await peer.says(/selected proposal: ESP:AES_GCM_16_256\/ECP_384\/NO_EXT_SEQ/);
      await peer.says(/received DELETE for ESP CHILD_SA with SPI/);
      await ping(1);
    });
    await lab.step('the IKE SA: its child is inherited', async () => {
      await peer.must('--rekey', '--ike', 'psk');
      await gateway.logged({ event: 'ike-rekeyed' });
      await gateway.logged({ event: 'closed', why: 'rekeyed' });
      await peer.says(/IKE_SA psk\[2\] rekeyed between|IKE_SA psk\[2\] established between/);
      assert.equal((await gateway.status()).sessions, 1);
      assert.equal(await gateway.metric('rekeys_total'), 1);
      await ping(1);
    });
    await lab.step('the child under the new IKE SA', async () => {
      await peer.must('--rekey', '--child', 'pfs');
      await gateway.logged({ event: 'child-rekeyed' }, 2);
      await ping(1);
    });
    await lab.step('the IKE SA once more, then a DELETE', async () => {
      await peer.must('--rekey', '--ike', 'psk');
      await gateway.logged({ event: 'ike-rekeyed' }, 2);
      await ping(1);
      await peer.must('--terminate', '--ike', 'psk');
      await gateway.logged({ event: 'closed', why: 'deleted by peer' });
      assert.equal((await gateway.status()).sessions, 0);
    });
    await lab.step('a child without one', async () => {
      await peer.initiate('none');
      await peer.must('--rekey', '--child', 'none');
      await gateway.logged({ event: 'child-rekeyed' }, 3);
      await ping(2);
    });
  },
};
