/** The local mode: three gateway processes behind one UDP service, which sends port 500 of a client to one and port 4500 to another. */
import assert from 'node:assert/strict';
import { INNER } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

const TIMES = 20;

export const scenario: Scenario = {
  title: `local mode with three processes: ${TIMES} times begun on port 500 at one, gone on with on port 4500 at another`,
  async run(lab) {
    const local = await lab.localMode(3);
    const peer = await lab.strongSwan('initiator');
    const times: number[] = [];

    await lab.step(`${TIMES} times: connects, is handed over, pings, deletes`, async () => {
      for (let time = 1; time <= TIMES; time++) {
        const began = performance.now();
        await peer.initiate('net');
        times.push(performance.now() - began);
        const { kind, inner } = await local.session(time);
        assert.equal(kind, 'full');
        if (time % 5 === 1) await lab.ping(inner.ipv4, INNER.ipv4);
        await peer.must('--terminate', '--ike', 'psk');
      }
    });
    await lab.step('each was handed over once', async () => {
      assert.equal(await local.metric('hand_offs_total', { outcome: 'taken' }), TIMES);
      assert.equal(await local.metric('hand_offs_total', { outcome: 'given' }), TIMES);
    });
    await lab.step('nothing is left', async () => {
      await lab.eventually(async () => assert.deepEqual(await local.counts(), { sessions: 0, halfOpen: 0 }));
    });
    const sorted = times.toSorted((a, b) => a - b);
    lab.note(
      `${TIMES} hand-offs; to connect, with swanctl: median ${sorted[TIMES / 2]?.toFixed(0)} ms, longest ${sorted.at(-1)?.toFixed(0)} ms`,
    );
  },
};
