/** Both ends of the connection between sidecar and agent over a real Unix socket, with a kernel that is none. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import type { CarriedTraffic, Outcome, Problem } from '../../../../sidecar/contract/agent-protocol.ts';
import type { ChildSa, DataplaneReport, InstallOrder, MoveOrder } from '../../../../sidecar/contract/dataplane.ts';
import type { DataplaneConfig } from '../../../../sidecar/contract/dataplane-config.ts';
import { parseDataplaneConfig } from '../../../../sidecar/contract/dataplane-yaml.ts';
import type { AgentConnection, AgentConnectionOptions, Welcome } from '../../../../sidecar/dataplane/agent/agent-connection.ts';
import { connectAgent, type Patience } from '../../../../sidecar/dataplane/agent/connect-agent.ts';
import { loadUnixSyscalls } from '../../../../sidecar/dataplane/agent/unix-syscalls.ts';
import { peerOf, sendTun } from '../../../../sidecar/dataplane/kernel/accepted-socket.ts';
import { AgentServer, type AgentServerOptions } from '../../../../sidecar/dataplane/kernel/agent-server.ts';
import { type AgentSocket, listenAt } from '../../../../sidecar/dataplane/kernel/agent-socket.ts';
import { type Allowance, allowanceOf } from '../../../../sidecar/dataplane/kernel/allowed.ts';
import { ChildrenInForce } from '../../../../sidecar/dataplane/kernel/children-in-force.ts';
import type { KernelChildren } from '../../../../sidecar/dataplane/kernel/kernel-port.ts';
import type { Log } from '../../../../sidecar/process/log.ts';
import { ends, selector } from '../children.ts';

export const syscalls = await loadUnixSyscalls();

const parsed = parseDataplaneConfig(
  'dataplane.yaml',
  'name: test/gateway\npools: [10.8.0.0/16, "fd08::/64"]\nroutes: [10.9.0.0/16, "fd09::/32"]\n...\n',
);
assert.ok(parsed.ok);
export const config: DataplaneConfig = parsed.value;
export const allowance = (change: Partial<DataplaneConfig> = {}): Allowance => allowanceOf({ ...config, ...change }, isOwn);
const isOwn = (address: Uint8Array): boolean => address.join('.') === '192.0.2.1';

/** One that the agent installs. */
export const install = (spiIn: number, change: Partial<ChildSa> = {}): InstallOrder => ({
  order: 'install',
  child: { ...ends(spiIn).gateway, spiIn, local: [selector('10.9.0.0', '10.9.255.255')], ...change },
  sendsAfter: undefined,
});

/** Remembers what it was told, in order; what it is asked to do takes until `hold` is fulfilled. */
export class FakeKernel implements KernelChildren {
  readonly told: string[] = [];
  readonly children = new Map<number, InstallOrder>();
  hold: Promise<void> = Promise.resolve();
  fails: string | undefined;
  #work: Promise<unknown> = Promise.resolve();

  install(order: InstallOrder): Promise<void> {
    return this.#then(`install ${order.child.spiIn.toString(16)}`, () => {
      if (this.fails !== undefined) throw new Error(this.fails);
      this.children.set(order.child.spiIn, order);
    });
  }

  remove(spiIn: number): Promise<CarriedTraffic | undefined> {
    return this.#then(`remove ${spiIn.toString(16)}`, () =>
      this.children.delete(spiIn) ? { spiIn, packetsIn: 1, bytesIn: 84, packetsOut: 2, bytesOut: 168 } : undefined,
    );
  }

  move({ spiIn, path }: MoveOrder): Promise<void> {
    return this.#then(`move ${spiIn.toString(16)} ${path.remote}`, () => {
      if (!this.children.has(spiIn)) throw new Error('there is no such child');
    });
  }

  reconcile(all: readonly InstallOrder[]): Promise<readonly Outcome[]> {
    return this.#then(`reconcile ${all.map(({ child }) => child.spiIn.toString(16)).join(' ')}`.trim(), () => {
      this.children.clear();
      for (const order of all) this.children.set(order.child.spiIn, order);
      return all.map(() => ({ ok: true }));
    });
  }

  settle(): Promise<void> {
    return this.#then('settle', () => {});
  }

  flush(): Promise<void> {
    return this.#then('flush', () => this.children.clear());
  }

  configure(): void {}

  close(): void {}

  #then<T>(what: string, task: () => T): Promise<T> {
    this.told.push(what);
    const done = this.#work.then(() => this.hold).then(task);
    this.#work = done.catch(() => {});
    return done;
  }
}

export interface Line {
  readonly level: string;
  readonly msg: string;
}

/** A log, and its lines. */
export function logged(): { readonly log: Log; readonly lines: Line[] } {
  const lines: Line[] = [];
  const to = { write: (line: string) => void lines.push(JSON.parse(line) as Line) };
  return { log: pino({ level: 'debug', formatters: { level: (level) => ({ level }) } }, to), lines };
}

export interface Agent {
  readonly server: AgentServer;
  readonly kernel: FakeKernel;
  readonly lines: readonly Line[];
  /** Its socket and its connections are gone, its children are not. */
  stop(): Promise<void>;
}

export interface AgentOptions extends Partial<AgentServerOptions> {
  readonly kernel?: FakeKernel;
  readonly tun?: (queues: number) => Promise<readonly number[]>;
}

export async function startAgent(
  path: string,
  { kernel = new FakeKernel(), tun, ...options }: AgentOptions = {},
): Promise<Agent> {
  const { log, lines } = logged();
  const server = new AgentServer({
    children: new ChildrenInForce(kernel, allowance()),
    allowUids: [process.getuid?.() ?? 0],
    welcome: { dataplane: 'kernel', mtu: 1400, isolateClients: false },
    peerOf: peerOf(syscalls),
    sendTun: sendTun(syscalls, tun ?? (() => Promise.reject(new Error('the kernel data plane serves here')))),
    synced: () => {},
    left: () => {},
    log,
    ...options,
  });
  const socket: AgentSocket = await listenAt({ path, mode: 0o600, accept: (one) => server.accept(one) });
  return {
    ...{ server, kernel, lines },
    async stop() {
      await socket.close();
      server.close();
    },
  };
}

/** A sidecar that remembers what it was told. */
export class Sidecar {
  readonly children: InstallOrder[] = [];
  readonly welcomes: Welcome[] = [];
  readonly reports: DataplaneReport[] = [];
  readonly traffic: CarriedTraffic[] = [];
  readonly drops: Readonly<Record<string, number>>[] = [];
  readonly health: (readonly Problem[])[] = [];
  readonly losses: string[] = [];
  readonly lines: readonly Line[];
  readonly connection: AgentConnection;

  constructor(path: string, patience: Partial<Patience> = {}, options: Partial<AgentConnectionOptions> = {}) {
    const { log, lines } = logged();
    this.lines = lines;
    this.connection = connectAgent(
      {
        ...{ path, log, incarnation: new Uint8Array(16) },
        children: () => this.children,
        welcome: (welcome) => this.welcomes.push(welcome),
        reports: (reports) => this.reports.push(...reports),
        traffic: (children, drops) => {
          this.traffic.push(...children);
          this.drops.push(drops);
        },
        health: (problems) => this.health.push(problems),
        lost: (error) => this.losses.push(error.message),
        ...options,
      },
      { firstMs: 5, longestMs: 20, welcomeMs: 2_000, answerMs: 10_000, ...patience },
    );
  }
}

/** Until the condition holds; what is waited for comes over a real socket. @throws Error after some seconds */
export async function eventually(what: string, condition: () => boolean): Promise<void> {
  const end = performance.now() + 5_000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not within 5 s: ${what}`);
    await delay(2);
  }
}
