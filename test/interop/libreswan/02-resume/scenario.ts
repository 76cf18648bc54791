/** Session resumption into the process that gave the ticket (RFC 5723 §4.3). */
import assert from 'node:assert/strict';
import { USER } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

const TIMES = 3;

export const scenario: Scenario = {
  title: 'resumes into the same process, with the same inner address, again and again',
  async run(lab) {
    const gateway = await lab.gateway();
    const peer = await lab.libreswan('initiator');
    await peer.add('psk');
    await peer.leaveSilently();
    await peer.up('psk');
    const first = await gateway.session();

    for (let time = 1; time <= TIMES; time++) {
      await lab.step(`resumption ${time}: the same address, and the live session of before goes silently`, async () => {
        const before = await gateway.session(time);
        await peer.suspend('psk');
        const said = await peer.up('psk');
        assert.match(said, /authenticated peer using authby=session-resume/);
        // libreswan 5.2 does no NAT detection in a resumption, so it stays on port 500 and means plain ESP, not ESP in UDP.
        assert.match(said, /\{ESP\/ESN=>/);
        const after = await gateway.session(time + 1);
        assert.deepEqual([after.kind, after.identity, after.inner], ['resumed', USER, first.inner]);
        await gateway.logged({ event: 'closed', why: 'superseded by resumption', spiR: before.spiR });
        assert.equal((await gateway.status()).sessions, 1);
      });
    }
    await lab.step('no key exchange but the first one, a new ticket each time', async () => {
      assert.equal(await gateway.metric('handshakes_total', { kind: 'full', outcome: 'established' }), 1);
      assert.equal(await gateway.metric('resumptions_total', { outcome: 'resumed' }), TIMES);
      assert.equal(await gateway.metric('tickets_sealed_total'), TIMES + 1);
      assert.equal(await gateway.metric('spent_tickets'), TIMES);
    });
    await lab.step('a ticket from before a rekey of the IKE SA', async () => {
      await peer.must('whack', '--rekey-ike', '--name', 'psk');
      await gateway.logged({ event: 'ike-rekeyed' });
      await peer.suspend('psk');
      await peer.up('psk');
      assert.equal((await gateway.session(TIMES + 2)).kind, 'resumed');
      assert.equal((await gateway.status()).sessions, 1);
    });
  },
};
