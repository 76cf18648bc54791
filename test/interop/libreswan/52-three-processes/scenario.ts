/** The local mode: the process of the session is killed, again and again, and libreswan resumes at another one. */
import assert from 'node:assert/strict';
import type { Scenario } from '../../lab/scenario.ts';

const TIMES = 20;

export const scenario: Scenario = {
  title: `local mode with three processes: killed ${TIMES} times in a row, resumed each time with the same address`,
  limitMs: 120_000,
  async run(lab) {
    const local = await lab.localMode(3);
    const peer = await lab.libreswan('initiator');
    await peer.add('psk');
    await peer.leaveSilently();
    const times: number[] = [];

    const first = await lab.step('begins on port 500 at one process, goes on with on port 4500 at another', async () => {
      await peer.up('psk');
      const session = await local.session();
      assert.equal(session.kind, 'full');
      assert.equal(await local.metric('hand_offs_total', { outcome: 'taken' }), 1);
      return session;
    });
    for (let time = 1; time <= TIMES; time++) {
      await lab.step(`resumption ${time}: the same address, no full exchange`, async () => {
        const before = await local.session(time);
        await local.kill(before.pod);
        await peer.suspend('psk');
        const began = performance.now();
        const said = await peer.up('psk');
        times.push(performance.now() - began);
        assert.match(said, /authenticated peer using authby=session-resume/);
        const after = await local.session(time + 1);
        assert.deepEqual([after.kind, after.inner], ['resumed', first.inner]);
        assert.notEqual(after.pod, before.pod);
        await local.ready(3);
      });
    }
    const sorted = times.toSorted((a, b) => a - b);
    const taken = (await local.events('taken-over')).length;
    lab.note(
      `${TIMES} resumptions, ${taken} hand-offs; to resume after the kill: median ${sorted[TIMES / 2]?.toFixed(0)} ms, longest ${sorted.at(-1)?.toFixed(0)} ms`,
    );
  },
};
