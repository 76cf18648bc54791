/** The local mode on a machine of the lab: several gateway processes behind one UDP service. See local-process.ts. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { dump } from 'js-yaml';
import type { GatewayStatus } from '../../../sidecar/contract/status.ts';
import { GATEWAY_ID, type LogLine, parseLine, SECRET, type Session, sessionOf, USER } from './gateway.ts';
import type { Machine } from './machine.ts';
import { sumOf } from './metric.ts';
import { PATIENCE_MS } from './program.ts';
import { PATH } from './tools.ts';

const PROGRAM = join(import.meta.dirname, 'local-process.ts');
const NAME = 'office';
const POLL_MS = 50;

export type LocalOrder = { readonly order: 'look' } | { readonly order: 'kill'; readonly pod: string };

export interface PodState {
  readonly name: string;
  readonly ready: boolean;
  readonly status: GatewayStatus | undefined;
  readonly metrics: string;
  readonly log: string;
}

export interface LocalAnswer {
  /** Of the service. */
  readonly address: string;
  readonly pods: readonly PodState[];
}

export interface LocalSession extends Session {
  readonly pod: string;
  /** When it was established, as the pod's log says. */
  readonly time: string;
}

export class LocalMode {
  readonly #process: ChildProcess;
  readonly #answers = new Map<number, (answer: LocalAnswer) => void>();
  #asked = 0;

  private constructor(process: ChildProcess) {
    this.#process = process;
    process.on('message', ({ id, answer }: { id: number; answer: LocalAnswer }) => this.#answers.get(id)?.(answer));
  }

  /** Done when all processes are ready. */
  static async start(machine: Machine, folder: string, replicas: number): Promise<LocalMode> {
    const manifests = join(folder, 'manifests');
    mkdirSync(manifests, { recursive: true });
    writeFileSync(join(manifests, 'all.yaml'), manifestsOf(replicas), { mode: 0o600 });
    const argv = [`--net=/run/netns/${machine.name}`, process.execPath, PROGRAM, manifests, join(folder, 'state'), NAME];
    const child = spawn('nsenter', argv, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], env: { ...process.env, PATH } });
    const log = createWriteStream(join(folder, 'local-mode.log'));
    for (const stream of [child.stdout, child.stderr]) stream?.pipe(log, { end: false });
    machine.own(child);
    const local = new LocalMode(child);
    await local.ready(replicas);
    return local;
  }

  /** Where its service is, on its machine alone. */
  async address(): Promise<string> {
    return (await this.#ask({ order: 'look' })).address;
  }

  /** Waits until so many processes are ready. */
  async ready(count: number): Promise<void> {
    await this.#until(`${count} ready processes`, ({ pods }) => pods.filter(({ ready }) => ready).length === count || undefined);
  }

  /** SIGKILL; the process starts again about a second later. */
  async kill(pod: string): Promise<void> {
    await this.#ask({ order: 'kill', pod });
  }

  /** The session that was established as the `nth`, wherever that was. */
  async session(nth = 1): Promise<LocalSession> {
    return this.#until(`session ${nth}`, ({ pods }) => sessionsOf(pods)[nth - 1]);
  }

  /** Established ones and half-open ones, of all processes. */
  async counts(): Promise<{ sessions: number; halfOpen: number }> {
    const { pods } = await this.#ask({ order: 'look' });
    const sum = (of: 'sessions' | 'halfOpen') => pods.reduce((total, { status }) => total + (status?.[of] ?? 0), 0);
    return { sessions: sum('sessions'), halfOpen: sum('halfOpen') };
  }

  /** Of all living processes; what a killed one has counted is gone. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const { pods } = await this.#ask({ order: 'look' });
    return pods.reduce((total, { metrics }) => total + sumOf(metrics, name, labels), 0);
  }

  /** Lines of all logs that have this event. */
  async events(event: string): Promise<LogLine[]> {
    const { pods } = await this.#ask({ order: 'look' });
    return pods.flatMap(({ log }) => linesOf(log)).filter((line) => line['event'] === event);
  }

  async #until<T>(what: string, question: (answer: LocalAnswer) => T | undefined): Promise<T> {
    for (const deadline = performance.now() + PATIENCE_MS; ; await pause(POLL_MS)) {
      const found = question(await this.#ask({ order: 'look' }));
      if (found !== undefined) return found;
      if (performance.now() > deadline) throw new Error(`the local mode did not come to have: ${what}`);
    }
  }

  #ask(order: LocalOrder): Promise<LocalAnswer> {
    const id = ++this.#asked;
    const { promise, resolve, reject } = Promise.withResolvers<LocalAnswer>();
    const timer = setTimeout(() => reject(new Error('the local mode does not answer; see local-mode.log')), PATIENCE_MS);
    this.#answers.set(id, resolve);
    this.#process.send({ id, order });
    return promise.finally(() => {
      clearTimeout(timer);
      this.#answers.delete(id);
    });
  }
}

const linesOf = (log: string): LogLine[] =>
  log
    .split('\n')
    .map(parseLine)
    .filter((line) => line !== undefined);

const sessionsOf = (pods: readonly PodState[]): LocalSession[] =>
  pods
    .flatMap(({ name, log }) => linesOf(log).map((line) => ({ line, pod: name })))
    .filter(({ line }) => line['event'] === 'established')
    .map(({ line, pod }) => ({ ...sessionOf(line), pod, time: String(line['time']) }))
    .sort((a, b) => a.time.localeCompare(b.time));

function manifestsOf(replicas: number): string {
  const head = (kind: string) => ({ apiVersion: 'vpn.rekindle.dev/v1alpha1', kind, metadata: { name: NAME } });
  const spec = {
    ...{ replicas, maxReplicas: 4, identity: GATEWAY_ID },
    authentication: { psk: { secretRef: { name: 'users' } } },
    ...{ pools: [{ cidr: '10.8.0.0/24' }], routes: ['10.8.0.0/24'], ticketKeyRef: { name: NAME } },
  };
  const users = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'users' },
    stringData: { 'users.yaml': dump({ [USER]: SECRET }) },
  };
  return [{ ...head('VpnGateway'), spec }, { ...head('TicketKey'), spec: {} }, users].map((one) => dump(one)).join('---\n');
}
