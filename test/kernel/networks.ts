/**
 * Networks for the host of an agent: a client, a gateway that has its default route to it, and a server behind that knows no other way.
 *
 *     client 192.0.2.7 ————— 192.0.2.1 gateway 198.51.100.1 ————— 198.51.100.5 server
 *            2001:db8::7     2001:db8::1       2001:db8:1::1      2001:db8:1::5
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Calls } from './network-process.ts';

type Name = 'client' | 'gateway' | 'server';
const PROCESS = join(import.meta.dirname, 'network-process.ts');
const FULL_NAME = (name: Name): string => `rekindle-${name}-${process.pid}`;

export class Network {
  readonly #name: Name;
  #process: ChildProcess | undefined;

  constructor(name: Name) {
    this.#name = name;
    execFileSync('ip', ['netns', 'add', FULL_NAME(name)]);
    this.run('ip', 'link', 'set', 'lo', 'up');
  }

  /** As root in this network; answers what was printed, whatever the status. */
  run(...command: readonly string[]): string {
    const { name } = this;
    try {
      return execFileSync('ip', ['netns', 'exec', name, ...command], { encoding: 'utf8', stdio: 'pipe' });
    } catch (error) {
      if (error instanceof Error && 'stdout' in error && 'stderr' in error) return `${error.stdout}${error.stderr}`;
      throw error;
    }
  }

  /** Runs until it is ended. */
  start(...command: readonly string[]): ChildProcess {
    return spawn('ip', ['netns', 'exec', this.name, ...command], { stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** One call at a time. @throws Error of the process there */
  async call<K extends keyof Calls>(call: K, ...args: Parameters<Calls[K]>): Promise<Awaited<ReturnType<Calls[K]>>> {
    this.#process ??= spawn('ip', ['netns', 'exec', this.name, process.execPath, PROCESS], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
    });
    this.#process.send({ call, args });
    const [{ value, error }] = await once(this.#process, 'message');
    if (error !== undefined) throw new Error(error);
    return value;
  }

  /** Its process is killed; the next call starts another. */
  async end(): Promise<void> {
    if (!this.#process) return;
    const closed = once(this.#process, 'close');
    this.#process.kill('SIGKILL');
    await closed;
    this.#process = undefined;
  }

  async close(): Promise<void> {
    await this.end();
    execFileSync('ip', ['netns', 'delete', this.name]);
  }

  get name(): string {
    return FULL_NAME(this.#name);
  }
}

export interface Networks {
  readonly client: Network;
  readonly gateway: Network;
  readonly server: Network;
}

export const INNER = { 4: '10.8.0.7', 6: 'fd08::7' } as const;
export const SERVER = { 4: '198.51.100.5', 6: '2001:db8:1::5' } as const;

export function createNetworks(): Networks {
  const networks = { client: new Network('client'), gateway: new Network('gateway'), server: new Network('server') };
  const { client, gateway, server } = networks;
  connect([client, 'eth0', ['192.0.2.7/24', '2001:db8::7/64']], [gateway, 'eth0', ['192.0.2.1/24', '2001:db8::1/64']]);
  connect([gateway, 'eth1', ['198.51.100.1/24', '2001:db8:1::1/64']], [server, 'eth0', ['198.51.100.5/24', '2001:db8:1::5/64']]);
  gateway.run('ip', 'route', 'add', 'default', 'via', '192.0.2.7');
  gateway.run('ip', '-6', 'route', 'add', 'default', 'via', '2001:db8::7');
  for (const address of [`${INNER[4]}/32`, `${INNER[6]}/128`]) client.run('ip', 'address', 'add', address, 'dev', 'lo');
  client.run('ip', 'route', 'add', 'default', 'via', '192.0.2.1', 'src', INNER[4]);
  client.run('ip', '-6', 'route', 'add', 'default', 'via', '2001:db8::1', 'src', INNER[6]);
  return networks;
}

type End = readonly [network: Network, device: string, addresses: readonly string[]];

function connect(...ends: readonly [End, End]): void {
  const [[left, near], [right, far]] = ends;
  execFileSync('ip', ['link', 'add', near, 'netns', left.name, 'type', 'veth', 'peer', 'name', far, 'netns', right.name]);
  for (const [network, device, addresses] of ends) {
    for (const address of addresses)
      network.run('ip', 'address', 'add', address, 'dev', device, ...(address.includes(':') ? ['nodad'] : []));
    network.run('ip', 'link', 'set', device, 'up');
  }
}
