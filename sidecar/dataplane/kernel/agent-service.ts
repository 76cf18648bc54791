/**
 * The agent at work under one configuration after another: packet filter, kernel and the sidecar that connects.
 *
 * The filter comes first: before it is in force no child is carried and no TUN device given away, since only it sees to it that a client uses
 * the address that it was assigned.
 */
import type { Socket } from 'node:net';
import type { CarriedTraffic, Problem } from '../../contract/agent-protocol.ts';
import type { DataplaneConfig } from '../../contract/dataplane-config.ts';
import type { Bytes } from '../../ike/wire/bytes.ts';
import type { Log } from '../../process/log.ts';
import type { UnixSyscalls } from '../agent/unix-syscalls.ts';
import { peerOf, sendTun } from './accepted-socket.ts';
import { AgentServer } from './agent-server.ts';
import { allowanceOf } from './allowed.ts';
import { ChildrenInForce } from './children-in-force.ts';
import { type Choice, choose } from './choice.ts';
import type { Host, KernelChildren, KernelObserver, KernelSettings } from './kernel-port.ts';
import { OrphanWatch } from './orphan-watch.ts';

export interface ServiceOptions {
  readonly host: Host;
  readonly openKernel: (settings: KernelSettings, observer: KernelObserver) => Promise<KernelChildren>;
  readonly syscalls: UnixSyscalls;
  /** Whether this machine has the address. */
  readonly isOwn: (address: Bytes) => boolean;
  readonly allowUids: readonly number[];
  readonly orphanGraceMs: number;
  readonly log: Log;
  /** What the kernel told cannot be trusted any more; the process must end. */
  readonly failed: (error: Error) => void;
}

const NOT_YET = 'the packet filter is not in force yet; the log of the agent says why';
const IN_SIDECAR = 'the user-space data plane serves here: children live in the sidecar';

export class AgentService {
  readonly #options: ServiceOptions;
  readonly #children: ChildrenInForce;
  readonly #server: AgentServer;
  readonly #orphans: OrphanWatch;
  #config: DataplaneConfig;
  #choice: Choice;
  #mtu: number;
  #kernel: KernelChildren | undefined;
  #filter: { readonly inForce: boolean; readonly problem: string | undefined } = { inForce: false, problem: undefined };
  #drops: Readonly<Record<string, number>> = {};

  /** Chooses the data plane and puts the configuration in force. @throws Error with a remedy */
  static async begin(config: DataplaneConfig, options: ServiceOptions): Promise<AgentService> {
    const choice = await choose(config, options.host);
    options.log.info({ dataplane: choice.dataplane }, `data plane: ${choice.dataplane}: ${choice.why}`);
    const service = new AgentService(config, choice, await options.host.innerMtu(config), options);
    if (choice.dataplane === 'userspace') await service.#sweep();
    await service.#arm();
    service.#orphans.begin();
    return service;
  }

  private constructor(config: DataplaneConfig, choice: Choice, mtu: number, options: ServiceOptions) {
    const { syscalls, isOwn, allowUids, log } = options;
    this.#options = options;
    this.#config = config;
    this.#choice = choice;
    this.#mtu = mtu;
    this.#children = new ChildrenInForce({ absent: NOT_YET }, allowanceOf(config, isOwn));
    this.#orphans = new OrphanWatch(options.orphanGraceMs, () => void this.#flush());
    this.#server = new AgentServer({
      ...{ children: this.#children, allowUids, log, welcome: this.#welcome() },
      peerOf: peerOf(syscalls),
      sendTun: sendTun(syscalls, (queues) => this.#openTun(queues)),
      synced: () => this.#orphans.end(),
      left: () => this.#orphans.begin(),
    });
  }

  accept(socket: Socket): void {
    this.#server.accept(socket);
  }

  /** Whether a sidecar is connected. */
  get attended(): boolean {
    return this.#server.attended;
  }

  get status(): {
    readonly dataplane: Choice['dataplane'];
    readonly children: number;
    readonly drops: Readonly<Record<string, number>>;
  } {
    return { dataplane: this.#choice.dataplane, children: this.#children.count, drops: this.#allDrops() };
  }

  /** The configuration has changed: what it no longer allows goes, and the sidecar hears of it. */
  async follow(config: DataplaneConfig): Promise<void> {
    this.#config = config;
    this.#children.allowance = allowanceOf(config, this.#options.isOwn);
    this.#kernel?.configure(config);
    this.#mtu = await this.#options.host.innerMtu(config);
    await this.#arm();
    // All children are named and judged anew.
    this.#server.renew(this.#welcome());
  }

  /** Looks at the host, mends what can be mended, and tells the sidecar. `more`: what else is wrong. Answers all problems. */
  async check(more: readonly Problem[]): Promise<readonly Problem[]> {
    const { host } = this.#options;
    await this.#recover();
    const found = await host
      .checkHost(this.#config, this.#choice.dataplane)
      .catch((error: unknown): readonly Problem[] => [
        { severity: 'warning', text: `this host cannot be looked at: ${messageOf(error)}` },
      ]);
    const problems = [...this.#ownProblems(), ...found, ...more];
    this.#server.health(problems);
    this.#server.traffic([], this.#allDrops());
    return problems;
  }

  /** `keep`: kernel and packet filter go on as they are until another agent comes. */
  async close(keep: boolean): Promise<void> {
    this.#orphans.end();
    this.#server.close();
    try {
      if (!keep) {
        await this.#children.flush();
        await this.#options.host.removePacketFilter(this.#config);
      }
    } finally {
      this.#kernel?.close();
    }
  }

  #welcome() {
    return { dataplane: this.#choice.dataplane, mtu: this.#mtu, isolateClients: this.#config.traffic.isolateClients };
  }

  #ownProblems(): readonly Problem[] {
    const { lacking } = this.#choice;
    const texts = [
      ...(lacking === undefined ? [] : [`dataplane.yaml asks for the kernel's ESP, which cannot serve: ${lacking}`]),
      ...(this.#filter.problem === undefined ? [] : [`the packet filter is not as it should be: ${this.#filter.problem}`]),
    ];
    return texts.map((text) => ({ severity: 'blocking', text }));
  }

  /** Filter, then kernel. What fails is a problem until it works. */
  async #arm(): Promise<void> {
    const { host, log } = this.#options;
    const { dataplane, lacking } = this.#choice;
    try {
      await host.applyPacketFilter(this.#config, dataplane);
      this.#filter = { inForce: true, problem: undefined };
    } catch (error) {
      const problem = messageOf(error);
      if (problem !== this.#filter.problem) log.error(`the packet filter is not as it should be: ${problem}`);
      this.#filter = { ...this.#filter, problem };
    }
    if (!this.#filter.inForce) return;
    if (dataplane === 'userspace') this.#children.kernel = { absent: IN_SIDECAR };
    else if (lacking !== undefined) this.#children.kernel = { absent: lacking };
    else {
      this.#kernel ??= await this.#options.openKernel(this.#config, this.#observer());
      this.#children.kernel = this.#kernel;
    }
  }

  /** Tries again what did not work, and follows the interface when its MTU has changed. */
  async #recover(): Promise<void> {
    const { host, log } = this.#options;
    const before = { mtu: this.#mtu, lacking: this.#choice.lacking, inForce: this.#filter.inForce };
    this.#mtu = await host.innerMtu(this.#config).catch(() => this.#mtu);
    if (before.lacking !== undefined) this.#choice = await choose(this.#config, host).catch(() => this.#choice);
    const changed = (): boolean => before.mtu !== this.#mtu || before.lacking !== this.#choice.lacking;
    if (!changed() && this.#filter.problem === undefined) return;
    await this.#arm();
    if (!changed() && before.inForce === this.#filter.inForce) return;
    log.info({ mtu: this.#mtu, lacking: this.#choice.lacking }, 'the host has changed; the sidecar names its children anew');
    this.#server.renew(this.#welcome());
  }

  #observer(): KernelObserver {
    return {
      reports: (reports) => this.#server.reports(reports),
      traffic: (children, drops) => this.#traffic(children, drops),
      failed: this.#options.failed,
    };
  }

  #traffic(children: readonly CarriedTraffic[], drops: Readonly<Record<string, number>>): void {
    this.#drops = drops;
    this.#server.traffic(children, this.#allDrops());
  }

  #allDrops(): Readonly<Record<string, number>> {
    return { ...this.#drops, ...this.#options.host.filterDrops() };
  }

  async #openTun(queues: number): Promise<readonly number[]> {
    if (this.#choice.dataplane === 'kernel') throw new Error('the kernel data plane serves here, which has no TUN device');
    if (!this.#filter.inForce) throw new Error(NOT_YET);
    return this.#options.host.openTunDevice(this.#config, queues);
  }

  async #flush(): Promise<void> {
    const { log, orphanGraceMs } = this.#options;
    try {
      // The kernel's last word on how far they are.
      if (!this.#children.reconciling) await this.#children.settle();
      // Named in the last moment; whoever did so may go before it is known that they are there.
      if (this.#children.reconciling) return this.#orphans.begin();
      if (this.#server.synced) return;
      log.warn({ children: this.#children.count, orphanGraceMs }, 'no sidecar has come; its children are removed');
      await this.#children.flush();
    } catch (error) {
      log.error(`children without sidecar cannot be removed: ${messageOf(error)}`);
    }
  }

  /** Children that the kernel has from another time would catch packets before the TUN device does. */
  async #sweep(): Promise<void> {
    try {
      const kernel = await this.#options.openKernel(this.#config, { reports: () => {}, traffic: () => {}, failed: () => {} });
      try {
        await kernel.flush();
      } finally {
        kernel.close();
      }
    } catch (error) {
      this.#options.log.debug(`no children of the kernel to remove: ${messageOf(error)}`);
    }
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
