/** A gateway pod on a machine of the lab: the agent, which may configure the kernel, and the sidecar, which has no privilege at all. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Gateway, type GatewayOptions } from '../../interop/lab/gateway.ts';
import type { Agent, AgentSettings } from './agent.ts';
import { type AgentPlace, AgentPod, SIDECAR, startAgent, unprivileged } from './agent-pod.ts';

/** Settings of gateway.yaml: pools of both families, and the server behind the pods. */
export const DUAL_POOLS = {
  pools: [{ cidr: '10.8.0.0/24' }, { cidr: 'fd08::/64' }],
  routes: ['10.8.0.0/24', '10.20.0.0/16', 'fd08::/64', 'fd20::/64'],
};

export interface PodPlace extends AgentPlace {
  readonly addresses: readonly string[];
  readonly httpAddress: string;
}

export interface PodOptions extends GatewayOptions {
  /** What differs from a plain dataplane.yaml. */
  readonly dataplane?: AgentSettings;
}

export class GatewayPod extends AgentPod {
  readonly #place: PodPlace;
  readonly #options: PodOptions;
  #sidecar: Gateway;

  private constructor(place: PodPlace, options: PodOptions, agent: Agent, sidecar: Gateway) {
    super(place.machine, agent);
    this.#place = place;
    this.#options = options;
    this.#sidecar = sidecar;
  }

  /** Done when the sidecar is ready. */
  static async start(place: PodPlace, options: PodOptions): Promise<GatewayPod> {
    // Of its pod's network, as a pod declares it.
    await place.machine.must('sysctl', '-qw', 'net.ipv4.ip_unprivileged_port_start=0');
    const agent = await startAgent(place, options.dataplane);
    return new GatewayPod(place, options, agent, await startSidecar(place, options, agent));
  }

  get sidecar(): Gateway {
    return this.#sidecar;
  }

  /** Reads what the kernel says of both processes. @throws Error when one may do more than it needs. */
  assertPrivileges(): void {
    assert.deepEqual(privilegesOf(this.#sidecar.pid), { user: SIDECAR, may: 0n, couldGet: 0n, noNewPrivileges: true });
    assert.deepEqual(privilegesOf(this.agent.pid), { user: 0, may: NET_ADMIN, couldGet: NET_ADMIN, noNewPrivileges: true });
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

/** capability.h: CAP_NET_ADMIN is 12. */
const NET_ADMIN = 1n << 12n;

/** proc(5): /proc/PID/status. */
function privilegesOf(pid: number): { user: number; may: bigint; couldGet: bigint; noNewPrivileges: boolean } {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name: string): string => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(text)?.[1] ?? '';
  const set = (name: string): bigint => BigInt(`0x${field(name)}`);
  return {
    user: Number(field('Uid')),
    may: set('CapEff') | set('CapPrm') | set('CapAmb'),
    couldGet: set('CapBnd'),
    noNewPrivileges: field('NoNewPrivs') === '1',
  };
}

function startSidecar(place: PodPlace, options: PodOptions, agent: Agent): Promise<Gateway> {
  const flags = [...(options.flags ?? []), '--agent', agent.socket];
  const { machine, folder, addresses, httpAddress, ordinal } = place;
  const node = [...unprivileged(SIDECAR), process.execPath];
  return Gateway.start({ machine, folder, addresses, httpAddress, node, owner: SIDECAR }, { ordinal, ...options, flags });
}
