/** The part of a gateway pod that may configure the kernel, and what a process without privilege beside it can do. */
import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Machine } from '../../interop/lab/machine.ts';
import type { Program } from '../../interop/lab/program.ts';
import { Agent, type AgentSettings } from './agent.ts';

/** User and group of the sidecar; the group is the pod's (fsGroup). */
export const SIDECAR = 65_532;
const STRANGER = 65_533;
const VOLUMES = '/run/volumes';
const TAKEN_OVER = join(import.meta.dirname, 'taken-over.ts');

/** A process without any capability, and no way to get one. `group`: that of the volume. */
export const unprivileged = (user: number, group = SIDECAR): readonly string[] => [
  ...['setpriv', '--reuid', String(user), '--regid', String(group), '--clear-groups'],
  ...['--bounding-set=-all', '--inh-caps=-all', '--no-new-privs'],
];

export interface AgentPlace {
  readonly machine: Machine;
  readonly folder: string;
  readonly ordinal: number;
}

/** What a program that speaks to the agent had to say. */
export interface Talk {
  readonly outcomes?: readonly { readonly ok: boolean; readonly why?: string; readonly reason?: string }[];
  /** Why it came to nothing. */
  readonly away?: string;
}

export class AgentPod {
  readonly machine: Machine;
  readonly agent: Agent;

  protected constructor(machine: Machine, agent: Agent) {
    this.machine = machine;
    this.agent = agent;
  }

  /** Done when the agent listens. */
  static async alone(place: AgentPlace, settings: AgentSettings = {}): Promise<AgentPod> {
    return new AgentPod(place.machine, await startAgent(place, settings));
  }

  /** A program as the sidecar's user. */
  unprivileged(name: string, argv: readonly string[]): Program {
    return this.machine.start(`${name}-${this.machine.name}`, [...unprivileged(SIDECAR), ...argv]);
  }

  /** Speaks to the agent as a sidecar that was taken over could; see taken-over.ts. */
  takenOver(...args: readonly string[]): Promise<Talk> {
    return this.#talk(SIDECAR, args);
  }

  /** Tries the same as a user that the agent does not know, though of the group of the volume. */
  stranger(): Promise<Talk> {
    return this.#talk(STRANGER, ['orders', '/dev/null']);
  }

  async #talk(user: number, args: readonly string[]): Promise<Talk> {
    const argv = [...unprivileged(user), process.execPath, TAKEN_OVER, this.agent.socket, ...args];
    const lines = (await this.machine.must(argv[0] ?? '', ...argv.slice(1))).split('\n').filter((line) => line.startsWith('{'));
    return Object.assign({}, ...lines.map((line) => JSON.parse(line)));
  }
}

/** Its volume is its group's, as an emptyDir of a pod with fsGroup; who of these may speak is for the agent to know. */
export async function startAgent({ machine, folder, ordinal }: AgentPlace, settings: AgentSettings = {}): Promise<Agent> {
  mkdirSync(folder, { recursive: true });
  const volume = join(VOLUMES, String(ordinal));
  mkdirSync(volume, { recursive: true });
  chownSync(volume, 0, SIDECAR);
  chmodSync(volume, 0o2770);
  return Agent.start({ machine, folder, volume, user: SIDECAR }, settings);
}
