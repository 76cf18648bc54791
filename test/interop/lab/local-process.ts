/** The local mode as a process of its own, on ports 500 and 4500: operator, gateway processes, a UDP service in front of them. Driven by local.ts. */
import { readFileSync } from 'node:fs';
import { LocalCluster } from '../../../operator/local/local-cluster.ts';
import type { LocalAnswer, LocalOrder, PodState } from './local.ts';

/** Away for about a second after each crash, however many there were. */
const POD_TIMING = { firstRestartMs: 500, backoffMs: 500, longestBackoffMs: 500 };
const PORTS = { ike: 500, nat: 4500, peer: 19500, http: 19501 };
const ENDPOINT_DELAY_MS = 100;

const [, , manifests = '', state = '', name = ''] = process.argv;
let flow = 0;
const cluster = await LocalCluster.start(manifests, {
  state,
  ports: PORTS,
  podTiming: POD_TIMING,
  endpointDelayMs: ENDPOINT_DELAY_MS,
  // Each new flow goes to the next process, so that ports 500 and 4500 of a client part.
  spread: () => (flow++ % cluster.pods().length) / cluster.pods().length,
  heard: (happening) => void process.stdout.write(`${JSON.stringify(happening)}\n`),
});
process.on('message', async ({ id, order }: { id: number; order: LocalOrder }) => {
  process.send?.({ id, answer: await obey(order) });
});
process.on('disconnect', () => void cluster.stop().then(() => process.exit()));

async function obey(order: LocalOrder): Promise<LocalAnswer> {
  if (order.order === 'kill') cluster.kill(order.pod);
  const pods = await Promise.all(cluster.pods().map(({ name: pod, ready }) => stateOf(pod, ready)));
  return { address: cluster.service(name).address, pods };
}

async function stateOf(pod: string, ready: boolean): Promise<PodState> {
  const [status, metrics] = await Promise.all([cluster.status(pod), cluster.metrics(pod)]);
  return { name: pod, ready: ready && status !== undefined, status, metrics: metrics ?? '', log: textOf(cluster.logFile(pod)) };
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
