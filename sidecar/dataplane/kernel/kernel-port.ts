/** What the agent needs of the kernel and of the host: the ports between its server and netlink, nftables and TUN. */
import type { CarriedTraffic, Outcome, Problem } from '../../contract/agent-protocol.ts';
import type { DataplaneReport, InstallOrder, MoveOrder } from '../../contract/dataplane.ts';
import type { DataplaneConfig } from '../../contract/dataplane-config.ts';

/** Child SAs in the kernel. Calls are carried out in the order in which they are made. */
export interface KernelChildren {
  /** @throws Error that says why the kernel would not; then nothing of it is left. */
  install(order: InstallOrder): Promise<void>;
  /** Its last counters; undefined when there was no such child. */
  remove(spiIn: number): Promise<CarriedTraffic | undefined>;
  /** @throws Error */
  move(order: MoveOrder): Promise<void>;
  /** These and no others: equal ones go on undisturbed, what the kernel has besides under our mark is removed. One outcome for each. */
  reconcile(all: readonly InstallOrder[]): Promise<readonly Outcome[]>;
  /** When fulfilled, all that happened before has been reported. */
  settle(): Promise<void>;
  configure(settings: KernelSettings): void;
  /** Removes all that is ours. */
  flush(): Promise<void>;
  /** Gives the sockets back and leaves the children to the kernel. */
  close(): void;
}

export type KernelSettings = Pick<DataplaneConfig, 'natPort' | 'lifetimeBytes' | 'mark'>;

/** What the kernel tells by itself. */
export interface KernelObserver {
  readonly reports: (reports: readonly DataplaneReport[]) => void;
  readonly traffic: (children: readonly CarriedTraffic[], drops: Readonly<Record<string, number>>) => void;
  /** Its netlink socket is gone or lost messages for good; the agent ends and is started again. */
  readonly failed: (error: Error) => void;
}

/** Everything of a host but XFRM. */
export interface Host {
  /** `kernel`, or why this kernel cannot do ESP, with its remedy. */
  probeKernel(): Promise<'kernel' | { readonly reason: string }>;
  /** Replaces the one nftables table that is ours, and gives the host the gateway's inner addresses. @throws Error with its remedy. */
  applyPacketFilter(config: DataplaneConfig, dataplane: 'kernel' | 'userspace'): Promise<void>;
  /** And whatever else of the host is ours. */
  removePacketFilter(config: DataplaneConfig): Promise<void>;
  /** Packets that the packet filter dropped, by reason, as of the last `checkHost`. */
  filterDrops(): Readonly<Record<string, number>>;
  /** What is not as it should be: forwarding, MTU, the packet filter, which is put back when something removed it. To be asked every few seconds. */
  checkHost(config: DataplaneConfig, dataplane: 'kernel' | 'userspace'): Promise<readonly Problem[]>;
  /** Bytes of an inner packet: the configured number, or what fits the interface. */
  innerMtu(config: DataplaneConfig): Promise<number>;
  /** Open descriptors, which the caller closes. The device is up, with addresses and routes of the pools. @throws Error with its remedy. */
  openTunDevice(config: DataplaneConfig, queues: number): Promise<readonly number[]>;
}
