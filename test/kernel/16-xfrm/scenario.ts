/** The agent's netlink code alone, without the agent around it. */
import type { Scenario } from '../lab/kernel-scenario.ts';

export const scenario: Scenario = {
  title: 'child SAs in the kernel by our netlink alone, without agent and sidecar',
  roots: [],
  limitMs: 300_000,
  run: (lab) => lab.step('every test of test/kernel/xfrm.ts passes', () => lab.tests('test/kernel/xfrm.ts')),
};
