/** What Rekindle is for, at the speed of the kernel: the node of a session dies with traffic running, the client resumes at another pod. */
import assert from 'node:assert/strict';
import { Flood } from '../lab/flood.ts';
import { DUAL_POOLS } from '../lab/gateway-pod.ts';
import { SERVER } from '../lab/kernel-lab.ts';
import type { Scenario } from '../lab/kernel-scenario.ts';
import { statesOf } from '../lab/kernel-state.ts';

export const scenario: Scenario = {
  title: 'a pod is killed with traffic running: our client resumes at another one, which carries the traffic',
  roots: [],
  limitMs: 90_000,
  async run(lab) {
    const pods = [await lab.pod(0, { settings: DUAL_POOLS }), await lab.pod(1, { settings: DUAL_POOLS })] as const;
    const client = lab.client('--dead-peer', '2s');
    const inner = await lab.clientReady(client);
    const flood = await Flood.start(lab.initiator, inner.ipv4, SERVER.ipv4);

    await lab.step(
      'sidecar and agent of its pod get SIGKILL, the service leads to another pod: it resumes with its address',
      async () => {
        await flood.more(50);
        await pods[0].kill();
        // A node that is gone forwards nothing.
        await lab.pods[0].must('ip', 'link', 'set', 'eth0', 'down');
        await lab.serve(1);
        const [, resumed] = await client.tells('established', { times: 2 });
        assert.equal(resumed?.kind, 'resumed');
        assert.ok(resumed?.inner.includes(inner.ipv4));
        await flood.more(100);
        const { sent, lost, gapMs } = await flood.stop();
        lab.note(`${lost} of ${sent} pings lost (${gapMs} ms) while our client found its pod dead and resumed at another one`);
        assert.equal((await statesOf(lab.pods[1])).length, 2);
      },
    );
  },
};
