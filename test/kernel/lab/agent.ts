/** The agent of a gateway pod, with the privilege that its container has: the root user with NET_ADMIN and nothing else. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dump } from 'js-yaml';
import type { DataplaneConfig } from '../../../sidecar/contract/dataplane-config.ts';
import { type LogLine, parseLine } from '../../interop/lab/gateway.ts';
import type { Machine } from '../../interop/lab/machine.ts';
import type { Program } from '../../interop/lab/program.ts';

const MAIN = join(import.meta.dirname, '../../../sidecar/dataplane/kernel/main.ts');
const PRIVILEGED = ['setpriv', '--bounding-set=-all,+net_admin', '--inh-caps=-all,+net_admin', '--no-new-privs'];

export type AgentSettings = Partial<Omit<DataplaneConfig, 'traffic'>> & {
  readonly traffic?: Partial<DataplaneConfig['traffic']>;
};

const BASE: DataplaneConfig = {
  generation: 1,
  name: 'kernel/gateway',
  dataplane: 'kernel',
  pools: ['10.8.0.0/24', 'fd08::/64'],
  routes: ['10.8.0.0/24', 'fd08::/64', '10.20.0.0/16', 'fd20::/64'],
  natPort: 4500,
  lifetimeBytes: 0,
  traffic: { forwarding: 'masquerade', isolateClients: false, mtu: 0, clampMss: true },
  interfaces: [],
  tun: 'rekindle0',
  mark: 0,
};

export interface AgentPlace {
  readonly machine: Machine;
  /** For its file. */
  readonly folder: string;
  /** For its socket. */
  readonly volume: string;
  /** The sidecar's, which alone may speak to it. */
  readonly user: number;
}

export class Agent {
  readonly socket: string;
  readonly #place: AgentPlace;
  #program: Program;

  private constructor(place: AgentPlace) {
    this.#place = place;
    this.socket = join(place.volume, 'agent.sock');
    this.#program = startAgent(place, this.socket);
  }

  /** Done when it listens. */
  static async start(place: AgentPlace, settings: AgentSettings = {}): Promise<Agent> {
    writeConfig(place, settings);
    const agent = new Agent(place);
    await agent.#listening();
    return agent;
  }

  /** Writes its file anew; it reads that by itself. */
  configure(settings: AgentSettings): void {
    writeConfig(this.#place, settings);
  }

  get pid(): number {
    return this.#program.pid;
  }

  kill(): Promise<void> {
    return this.#program.kill();
  }

  /** After `kill`. */
  async startAgain(): Promise<void> {
    this.#program = startAgent(this.#place, this.socket);
    await this.#listening();
  }

  /** Lines of its log that have this. */
  said(pattern: RegExp): LogLine[] {
    return this.#program.lines
      .filter((line) => pattern.test(line))
      .map(parseLine)
      .filter((line) => line !== undefined);
  }

  async says(pattern: RegExp, times = 1): Promise<string[]> {
    return this.#program.wait((line) => (pattern.test(line) ? line : undefined), times, { what: String(pattern) });
  }

  async #listening(): Promise<void> {
    await this.says(/"msg":"waiting for the sidecar/);
  }
}

function writeConfig(place: AgentPlace, settings: AgentSettings): void {
  const traffic = { ...BASE.traffic, ...settings.traffic };
  writeFileSync(configFile(place), `${dump({ ...BASE, ...settings, traffic })}...\n`, { mode: 0o600 });
}

const configFile = ({ folder }: AgentPlace): string => join(folder, 'dataplane.yaml');

function startAgent(place: AgentPlace, socket: string): Program {
  const { machine, user } = place;
  const flags = ['--config', configFile(place), '--socket', socket, '--socket-mode', '0660', '--allow-uid', String(user)];
  return machine.start(`agent-${machine.name}`, [...PRIVILEGED, process.execPath, MAIN, ...flags]);
}
