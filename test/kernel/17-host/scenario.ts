/** The agent's half that is not XFRM, without the agent around it. */
import type { Scenario } from '../lab/kernel-scenario.ts';

export const scenario: Scenario = {
  title: 'packet filter, inner addresses and routes of a host whose kernel has ESP, without agent and sidecar',
  roots: [],
  limitMs: 300_000,
  run: (lab) => lab.step('every test of test/kernel/host.ts passes', () => lab.tests('test/kernel/host.ts')),
};
