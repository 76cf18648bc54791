/** A network that loses, doubles and reorders: libreswan resumes all the same, and no ticket is refused as spent. */
import assert from 'node:assert/strict';
import type { Scenario } from '../../lab/scenario.ts';

const TIMES = 10;
const GOOD = { lost: 0, doubled: 0, delayed: 0, seed: 1 };
const BAD = { lost: 15, doubled: 20, delayed: 30, seed: 20_260_102 };

export const scenario: Scenario = {
  title: 'a network that loses, doubles and reorders: resumes ten times; nothing is left behind',
  limitMs: 120_000,
  async run(lab) {
    const settings = { ike: { halfOpen: '2s', deadPeer: '2s', retransmit: { first: '100ms', attempts: 8 } } };
    const gateway = await lab.gateway({ settings });
    const relay = await lab.relay();
    const peer = await lab.libreswan('initiator');
    await peer.add('psk');
    await peer.up('psk');

    await lab.step(`leaves and comes back ${TIMES} times`, async () => {
      await relay.disturb(BAD);
      for (let time = 1; time <= TIMES; time++) {
        await peer.suspend('psk');
        await peer.up('psk');
      }
      await relay.disturb(GOOD);
      const resumed = await gateway.metric('resumptions_total', { outcome: 'resumed' });
      lab.note(
        `${resumed} resumptions; full exchanges after a lost answer: ${gateway.log({ event: 'established', kind: 'full' }).length - 1}`,
      );
      assert.ok(resumed >= 1);
      assert.equal(await gateway.metric('internal_errors_total'), 0);
    });
    await lab.step('when it goes nothing is left: no session, no half-open one', async () => {
      await peer.must('down', 'psk');
      await lab.eventually(async () => {
        const { sessions, halfOpen } = await gateway.status();
        assert.deepEqual({ sessions, halfOpen }, { sessions: 0, halfOpen: 0 });
      });
    });
  },
};
