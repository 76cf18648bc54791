/** Our client with the proposals that it has by default, and a strongSwan 6.1 that demands ML-KEM-768 after X25519. */
import assert from 'node:assert/strict';
import type { Scenario } from '../../lab/scenario.ts';

const BEHIND = '10.20.0.1';

export const scenario: Scenario = {
  title: 'our client does ML-KEM-768 after X25519; strongSwan rekeys the IKE SA',
  roots: ['strongswan-sid'],
  async run(lab) {
    await lab.responder.must('ip', 'address', 'add', `${BEHIND}/32`, 'dev', 'lo');
    const peer = await lab.strongSwan('responder', 'strongswan-sid');
    const client = lab.client('--ping', BEHIND, '--interval', '100ms', '--count', '30');
    await lab.step('three round trips and two key exchanges', async () => {
      const [established] = await client.tells('established');
      assert.deepEqual([established?.roundTrips, established?.keyExchanges], [3, 2]);
      await peer.says(/parsed IKE_INTERMEDIATE request 1/);
    });
    await lab.step('the peer rekeys the IKE SA, with IKE_FOLLOWUP_KE, and all pings are answered', async () => {
      await peer.must('--rekey', '--ike', 'psk');
      await peer.says(/parsed IKE_FOLLOWUP_KE response/);
      const [summary] = await client.tells('ping-summary');
      assert.deepEqual([summary?.sent, summary?.received], [30, 30]);
      assert.equal(await client.ended(), 0);
    });
  },
};
