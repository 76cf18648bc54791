/** Many clients at once: what the agent can install in a second, and that all of it goes again. */
import assert from 'node:assert/strict';
import { childrenThroughAgent } from '../lab/children-rate.ts';
import type { Scenario } from '../lab/kernel-scenario.ts';
import { policiesOf, statesOf } from '../lab/kernel-state.ts';
import { MANY_POOL } from '../lab/many-children.ts';

const CHILDREN = 1_000;

export const scenario: Scenario = {
  title: `${CHILDREN} children are installed through the agent and removed, and none is left`,
  roots: [],
  limitMs: 120_000,
  async run(lab) {
    const pod = await lab.agentAlone({ pools: [MANY_POOL], routes: ['10.20.0.0/16'] });
    const children = childrenThroughAgent(pod, CHILDREN);

    await lab.step('the kernel has two states and three policies of each', async () => {
      const { ok, ms, reason } = await children.installed();
      assert.equal(ok, CHILDREN, reason ?? '');
      lab.note(`${CHILDREN} children installed in ${(ms / 1_000).toFixed(2)} s: ${Math.round((CHILDREN * 1_000) / ms)} a second`);
      assert.equal((await statesOf(pod.machine)).length, 2 * CHILDREN);
      assert.equal(await policiesOf(pod.machine), 3 * CHILDREN);
    });
    await lab.step('they are removed, and nothing is left', async () => {
      const { ok, ms, reason } = await children.removed();
      assert.equal(ok, CHILDREN, reason ?? '');
      lab.note(`${CHILDREN} children removed in ${(ms / 1_000).toFixed(2)} s: ${Math.round((CHILDREN * 1_000) / ms)} a second`);
      assert.equal(await pod.machine.must('ip', 'xfrm', 'state'), '');
      assert.equal(await policiesOf(pod.machine), 0);
    });
  },
};
