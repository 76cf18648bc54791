/** Not a test: what the data planes can do in user-mode Linux, for `npm run bench:dataplane`. See ../../bench.ts. */
import { BulkServer } from '../../../interop/lab/bulk.ts';
import type { Machine } from '../../../interop/lab/machine.ts';
import { childrenThroughAgent } from '../../lab/children-rate.ts';
import { DUAL_POOLS } from '../../lab/gateway-pod.ts';
import { innerAddresses } from '../../lab/inner-addresses.ts';
import { type KernelLab, SERVER } from '../../lab/kernel-lab.ts';
import type { Scenario } from '../../lab/kernel-scenario.ts';
import { MANY_POOL } from '../../lab/many-children.ts';
import { busyMs, processMs } from '../../lab/processor.ts';

const CHILDREN = 1_000;
/** AES-256-GCM. */
const CONNECTION = 'aes256gcm';
const BYTES = 20_000_000;

export const scenario: Scenario = {
  title: 'children per second; Mbit/s and CPU of both data planes',
  roots: ['strongswan'],
  limitMs: 240_000,
  async run(lab) {
    await children(lab);
    for (const plane of ['kernel', 'userspace'] as const) await transfer(lab, plane);
  },
};

async function children(lab: KernelLab): Promise<void> {
  const pod = await lab.agentAlone({ pools: [MANY_POOL], routes: ['10.20.0.0/16'] });
  const batch = childrenThroughAgent(pod, CHILDREN);
  const installed = await batch.installed();
  const removed = await batch.removed();
  lab.figures['installedPerSecond'] = (installed.ok * 1_000) / installed.ms;
  lab.figures['removedPerSecond'] = (removed.ok * 1_000) / removed.ms;
  await pod.agent.kill();
}

async function transfer(lab: KernelLab, plane: 'kernel' | 'userspace'): Promise<void> {
  const ordinal = plane === 'kernel' ? 0 : 1;
  await lab.serve(ordinal);
  const pod = await lab.pod(ordinal, { settings: DUAL_POOLS, dataplane: { dataplane: plane } });
  const peer = await lab.strongSwan();
  await peer.initiate(CONNECTION);
  const { ipv4 } = await innerAddresses(lab.initiator);
  const server = await BulkServer.start(lab.server, SERVER.ipv4, BYTES);
  const processes = () => processMs(pod.sidecar.pid) + processMs(pod.agent.pid);
  const [busy, own] = [busyMs(), processes()];
  const megabits = await server.fetch(lab.initiator, ipv4);
  const perGigabit = (ms: number): number => (ms * 1e9) / (8 * BYTES);
  lab.figures[`${plane}Megabits`] = megabits;
  lab.figures[`${plane}MsPerGigabit`] = perGigabit(busyMs() - busy);
  lab.figures[`${plane}PodMsPerGigabit`] = perGigabit(processes() - own);
  await peer.must('--terminate', '--ike', CONNECTION);
  await Promise.all([peer.kill(), pod.kill(), server.stop()]);
  await clear(lab.initiator);
}

/** What a killed peer leaves in its kernel. */
async function clear(machine: Machine): Promise<void> {
  await machine.must('ip', 'xfrm', 'state', 'flush');
  await machine.must('ip', 'xfrm', 'policy', 'flush');
}
