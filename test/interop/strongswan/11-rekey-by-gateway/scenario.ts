/** Our lifetimes are short, so we rekey the child and the IKE SA (RFC 7296 §2.8). */
import assert from 'node:assert/strict';
import { INNER } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'our gateway rekeys children and the IKE SA by itself, and goes on',
  async run(lab) {
    const gateway = await lab.gateway({ settings: { ike: { rekey: '3s' }, esp: { rekey: '2s' } } });
    const peer = await lab.strongSwan('initiator');
    await peer.initiate('net');
    const { inner } = await gateway.session();

    await lab.step('children are rekeyed, the old ones deleted', async () => {
      await gateway.logged({ event: 'child-rekeyed' }, 2);
      await gateway.logged({ event: 'child-removed' }, 2);
      await peer.says(/inbound CHILD_SA net\{3\} established/);
      await lab.ping(inner.ipv4, INNER.ipv4);
    });
    await lab.step('the IKE SA is rekeyed twice', async () => {
      await gateway.logged({ event: 'ike-rekeyed' }, 2);
      await peer.says(/IKE_SA psk\[3\] (rekeyed|established) between/);
      await lab.ping(inner.ipv4, INNER.ipv4);
    });
    await lab.step('the peer has one IKE SA and one child', async () => {
      const sas = await peer.must('--list-sas');
      assert.equal(sas.match(/^psk: #/gm)?.length, 1, sas);
      assert.equal(sas.match(/net: #.*INSTALLED/g)?.length, 1, sas);
      assert.equal((await gateway.status()).sessions, 1);
    });
  },
};
