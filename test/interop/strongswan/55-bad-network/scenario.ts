/** A network that loses, doubles and reorders: retransmission and the window of RFC 7296 §2.1 to §2.3 carry every exchange through. */
import assert from 'node:assert/strict';
import { INNER } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

const ROUNDS = 6;
const GOOD = { lost: 0, doubled: 0, delayed: 0, seed: 1 };
const BAD = { lost: 15, doubled: 20, delayed: 30, seed: 20_260_101 };

export const scenario: Scenario = {
  title: 'a network that loses, doubles and reorders: connects, rekeys and deletes, again and again; nothing is left behind',
  limitMs: 120_000,
  async run(lab) {
    const gateway = await lab.gateway();
    const relay = await lab.relay();
    const peer = await lab.strongSwan('initiator');

    await lab.step(`${ROUNDS} times: connect, rekey the child, rekey the IKE SA, delete`, async () => {
      await relay.disturb(BAD);
      for (let round = 1; round <= ROUNDS; round++) {
        await peer.initiate('net');
        await peer.must('--rekey', '--child', 'net');
        await gateway.logged({ event: 'child-rekeyed' }, round);
        await peer.must('--rekey', '--ike', 'psk');
        await gateway.logged({ event: 'ike-rekeyed' }, round);
        // Its answer may come too late for swanctl.
        await peer.swanctl('--terminate', '--ike', 'psk');
        await gateway.logged({ event: 'closed', why: 'deleted by peer' }, round);
      }
      lab.note(
        `messages sent again by the peer: ${peer.said(/retransmit \d+ of request/).length}; by the gateway: ${await gateway.metric('retransmits_total')}`,
      );
    });
    await lab.step('nothing is left: no session, no half-open one, no child', async () => {
      await lab.eventually(async () => {
        const { sessions, halfOpen } = await gateway.status();
        assert.deepEqual({ sessions, halfOpen }, { sessions: 0, halfOpen: 0 });
      });
    });
    await lab.step('in a good network it goes on', async () => {
      await relay.disturb(GOOD);
      await peer.initiate('net');
      const { inner } = await gateway.session(ROUNDS + 1);
      await lab.ping(inner.ipv4, INNER.ipv4);
    });
  },
};
