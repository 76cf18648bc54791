/** libreswan connects; its IKE is real, its ESP pretends. */
import assert from 'node:assert/strict';
import { USER } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'connects with a pre-shared key, gets an inner address and a ticket, rekeys, deletes',
  async run(lab) {
    const gateway = await lab.gateway();
    const peer = await lab.libreswan('initiator');
    await peer.add('psk');

    await lab.step('a full handshake, an address from the pool, a ticket', async () => {
      const said = await peer.up('psk');
      const session = await gateway.session();
      assert.deepEqual([session.kind, session.identity], ['full', USER]);
      assert.ok(said.includes(`${session.inner.ipv4}/32===10.8.0.0/24`), said);
      await gateway.logged({ event: 'ticket-sealed' });
      assert.equal((await gateway.status()).sessions, 1);
    });
    await lab.step('it rekeys the child', async () => {
      await peer.must('whack', '--rekey-child', '--name', 'psk');
      await gateway.logged({ event: 'child-rekeyed' });
    });
    await lab.step('it rekeys the IKE SA', async () => {
      await peer.must('whack', '--rekey-ike', '--name', 'psk');
      await gateway.logged({ event: 'ike-rekeyed' });
      assert.equal((await gateway.status()).sessions, 1);
    });
    await lab.step('it deletes', async () => {
      await peer.must('down', 'psk');
      await gateway.logged({ event: 'closed', why: 'deleted by peer' });
      assert.equal((await gateway.status()).sessions, 0);
    });
  },
};
