/**
 * The TUN device of the user-space data plane, as the agent has it: it makes and configures the device and gives queues of it away, which
 * carry packets wherever their descriptors are. It keeps a queue that is detached, so that the device outlives whoever has the others,
 * and no packet is held back for somebody who does not come: without a queue in use the kernel drops at once.
 */
import { closeSync } from 'node:fs';
import type { DataplaneConfig } from '../../contract/dataplane-config.ts';
import { IP, ipJson, run } from '../program.ts';
import { configureInterface, type TunInterface } from '../userspace/tun-interface.ts';
import { openQueue } from '../userspace/tun-queue.ts';
import { loadTunSyscalls, type TunSyscalls } from '../userspace/tun-syscalls.ts';
import { FAMILIES, ownAddress } from './inner-network.ts';

/** More threads than this a sidecar has no use for. */
const MOST_QUEUES = 16;

/** The gateway's own address of each pool, with the pool's length: so the kernel routes the pools into the device. */
export function tunInterface({ tun, pools }: DataplaneConfig, mtu: number): TunInterface {
  const addresses = pools.flatMap((pool) => {
    const own = ownAddress(pool);
    return own === undefined ? [] : [`${own}/${pool.split('/')[1]}`];
  });
  return { name: tun, addresses, routes: pools.filter((pool) => ownAddress(pool) === undefined), mtu };
}

export class TunDevice {
  readonly #name: string;
  readonly #syscalls: TunSyscalls;
  readonly #device: string | undefined;
  readonly #kept: number;

  private constructor(name: string, syscalls: TunSyscalls, device: string | undefined) {
    this.#name = name;
    this.#syscalls = syscalls;
    this.#device = device;
    this.#kept = openQueue(syscalls, name, 'offload', device);
  }

  /** Takes over a device that an agent before this one has left to a sidecar. `device`: default /dev/net/tun. @throws Error that names the remedy. */
  static async open(options: TunInterface, device?: string): Promise<TunDevice> {
    const opened = new TunDevice(options.name, await loadTunSyscalls(), device);
    // At once: what the kernel gives to this queue meanwhile is lost.
    if (opened.#syscalls.detachQueue(opened.#kept) < 0) {
      const reason = opened.#syscalls.errno();
      opened.close();
      throw new Error(`interface ${options.name}: cannot detach a queue: ${reason}`);
    }
    try {
      await opened.configure(options);
    } catch (error) {
      opened.close();
      throw error;
    }
    return opened;
  }

  get name(): string {
    return this.#name;
  }

  /** False: somebody removed it; open it anew. */
  get present(): boolean {
    return this.#syscalls.present(this.#kept) >= 0;
  }

  /** Addresses and routes that are no longer asked for go. @throws Error that names the command. */
  async configure(options: TunInterface): Promise<void> {
    await configureInterface(options);
    await removeOthers(options);
  }

  /** New descriptors, which the caller closes when it has passed them on. @throws Error that names the remedy. */
  queues(count: number): number[] {
    if (!Number.isInteger(count) || count < 1 || count > MOST_QUEUES)
      throw new RangeError(`a TUN device has 1 to ${MOST_QUEUES} queues, not ${count}`);
    const descriptors: number[] = [];
    try {
      for (let n = 0; n < count; n++) descriptors.push(openQueue(this.#syscalls, this.#name, 'offload', this.#device));
      return descriptors;
    } catch (error) {
      descriptors.forEach(closeSync);
      throw error;
    }
  }

  /** The device goes when nobody else has a queue of it. */
  close(): void {
    closeSync(this.#kept);
  }
}

interface Address {
  readonly local: string;
  readonly prefixlen: number;
}

interface Route {
  readonly dst: string;
}

async function removeOthers({ name, addresses, routes }: TunInterface): Promise<void> {
  const links = (await ipJson(['address', 'show', 'dev', name])) as readonly { readonly addr_info?: readonly Address[] }[];
  const present = links.flatMap(({ addr_info: infos }) => infos ?? []).map(({ local, prefixlen }) => `${local}/${prefixlen}`);
  for (const address of present) if (!addresses.includes(address)) await run(IP, ['address', 'del', address, 'dev', name]);
  for (const family of FAMILIES) {
    const length = family === 4 ? 32 : 128;
    const made = (await ipJson([`-${family}`, 'route', 'show', 'dev', name, 'proto', 'boot'])) as readonly Route[];
    for (const dst of made.map((route) => (route.dst.includes('/') ? route.dst : `${route.dst}/${length}`)))
      if (!routes.includes(dst)) await run(IP, ['route', 'del', dst, 'dev', name]);
  }
}
