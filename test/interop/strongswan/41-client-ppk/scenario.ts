/** Our client with a post-quantum pre-shared key (RFC 8784) and strongSwan as gateway: one that has it, and one that has another. */
import assert from 'node:assert/strict';
import type { Scenario } from '../../lab/scenario.ts';

const BEHIND = '10.20.0.1';

export const scenario: Scenario = {
  title: 'our client mixes a post-quantum pre-shared key in; it goes on without, or gives up, where strongSwan has another one',
  async run(lab) {
    await lab.responder.must('ip', 'address', 'add', `${BEHIND}/32`, 'dev', 'lo');
    const peer = await lab.strongSwan('responder');
    const file = lab.clientFile('client.ppk', 'a-ppk-of-32-characters-and-more-0\n');
    const connect = (id: string, ...more: readonly string[]) =>
      lab.client('--ppk-id', id, '--ppk-file', file, '--ping', BEHIND, '--interval', '100ms', '--count', '20', ...more);

    await lab.step('both have it: no session without, child and IKE SA rekeyed from those keys', async () => {
      const client = connect('laptop', '--ppk-required', '--post-quantum', 'required');
      const [established] = await client.tells('established');
      assert.equal(established?.postQuantum, true);
      await peer.says(/using PPK for PPK_ID 'laptop'/);
      await peer.must('--rekey', '--ike', 'psk');
      await peer.must('--rekey', '--child', 'net');
      const [summary] = await client.tells('ping-summary');
      assert.deepEqual([summary?.sent, summary?.received], [20, 20]);
      assert.equal(await client.ended(), 0);
    });
    await lab.step('strongSwan does not know its name: on without it', async () => {
      const client = connect('phone');
      const [established] = await client.tells('established');
      assert.equal(established?.postQuantum, false);
      const [summary] = await client.tells('ping-summary');
      assert.equal(summary?.received, 20);
      assert.equal(await client.ended(), 0);
    });
    await lab.step('the same where the client demands it', async () => {
      const client = connect('phone', '--ppk-required', '--once');
      const [refused] = await client.tells('refused');
      assert.equal(refused?.notify, 'AUTHENTICATION_FAILED');
      assert.equal(await client.ended(), 1);
    });
  },
};
