/** A gateway pod on a machine of the lab: the agent, which may configure the kernel, and the sidecar, which has no privilege at all. */
import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Gateway, type GatewayOptions } from '../../interop/lab/gateway.ts';
import type { Machine } from '../../interop/lab/machine.ts';
import { Agent, type AgentSettings } from './agent.ts';

/** User and group of the sidecar; the group is that of the volume in which both meet. */
export const SIDECAR = 65_532;
/** A process without any capability, and no way to get one. */
const UNPRIVILEGED = [
  ...['setpriv', '--reuid', String(SIDECAR), '--regid', String(SIDECAR), '--clear-groups'],
  ...['--bounding-set=-all', '--inh-caps=-all', '--no-new-privs'],
];
const VOLUMES = '/run/volumes';

export interface PodPlace {
  readonly machine: Machine;
  readonly folder: string;
  readonly ordinal: number;
  readonly addresses: readonly string[];
  readonly httpAddress: string;
}

export interface PodOptions extends GatewayOptions {
  /** What differs from a plain dataplane.yaml. */
  readonly dataplane?: AgentSettings;
}

export class GatewayPod {
  readonly machine: Machine;
  readonly agent: Agent;
  readonly #place: PodPlace;
  readonly #options: PodOptions;
  #sidecar: Gateway;

  private constructor(place: PodPlace, options: PodOptions, agent: Agent, sidecar: Gateway) {
    this.machine = place.machine;
    this.#place = place;
    this.#options = options;
    this.agent = agent;
    this.#sidecar = sidecar;
  }

  /** Done when the sidecar is ready. */
  static async start(place: PodPlace, options: PodOptions): Promise<GatewayPod> {
    const { machine, ordinal, folder } = place;
    mkdirSync(folder, { recursive: true });
    // Of its pod's network, as a pod declares it.
    await machine.must('sysctl', '-qw', 'net.ipv4.ip_unprivileged_port_start=0');
    const volume = join(VOLUMES, String(ordinal));
    mkdirSync(volume, { recursive: true });
    chownSync(volume, 0, SIDECAR);
    chmodSync(volume, 0o2770);
    const agent = await Agent.start({ machine, folder, volume, group: SIDECAR }, options.dataplane);
    return new GatewayPod(place, options, agent, await startSidecar(place, options, agent));
  }

  get sidecar(): Gateway {
    return this.#sidecar;
  }

  /** SIGKILL, and a new one as soon as that is ready. */
  async restartSidecar(): Promise<void> {
    await this.#sidecar.kill();
    this.#sidecar = await startSidecar(this.#place, this.#options, this.agent);
  }

  /** SIGKILL to both, as when the node dies. */
  async kill(): Promise<void> {
    await Promise.all([this.#sidecar.kill(), this.agent.kill()]);
  }
}

function startSidecar(place: PodPlace, options: PodOptions, agent: Agent): Promise<Gateway> {
  const flags = [...(options.flags ?? []), '--agent', agent.socket];
  const { machine, folder, addresses, httpAddress, ordinal } = place;
  const node = [...UNPRIVILEGED, process.execPath];
  return Gateway.start({ machine, folder, addresses, httpAddress, node, owner: SIDECAR }, { ordinal, ...options, flags });
}
