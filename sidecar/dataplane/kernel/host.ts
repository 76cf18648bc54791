/** The host of an agent: packet filter, inner addresses, TUN device, and what it finds wrong. Everything but XFRM. */
import type { DataplaneConfig } from '../../contract/dataplane-config.ts';
import { type Egress, findEgress, innerMtu, interfaceNames, segmentMtu } from './egress.ts';
import { sysctls } from './forwarding.ts';
import { checkHost } from './host-checks.ts';
import { InnerAddresses } from './inner-addresses.ts';
import type { Host } from './kernel-port.ts';
import { probeKernel } from './kernel-probe.ts';
import { PacketFilter } from './packet-filter.ts';
import { TunDevice, tunInterface } from './tun-device.ts';

type Mode = 'kernel' | 'userspace';

/** Its calls are carried out one after the other. */
export function createHost(): Host {
  const filter = new PacketFilter();
  const paths = new InnerPaths();
  let work: Promise<unknown> = Promise.resolve();
  const then = <T>(task: () => Promise<T>): Promise<T> => {
    const done = work.then(task);
    work = done.catch(() => {});
    return done;
  };
  return {
    async probeKernel() {
      const answer = await probeKernel();
      return answer.esp ? 'kernel' : { reason: answer.reason };
    },
    // The filter first: nothing has a way that it does not watch.
    applyPacketFilter: (config, dataplane) =>
      then(async () => {
        const egress = await findEgress(config);
        await filter.apply(config, { dataplane, mtu: segmentMtu(config, egress) });
        await paths.follow(config, dataplane, egress);
      }),
    removePacketFilter: () =>
      then(async () => {
        await paths.close();
        await filter.remove();
      }),
    checkHost: (config, dataplane) =>
      then(async () => {
        const [egress, interfaces] = await Promise.all([findEgress(config), interfaceNames()]);
        const problems = await checkHost(config, { dataplane, egress, interfaces }, sysctls());
        const found = await filter.check();
        await paths.restore(config, egress);
        return found ? [found, ...problems] : problems;
      }),
    innerMtu: async (config) => innerMtu(config, await findEgress(config)),
    openTunDevice: (config, queues) => then(async () => paths.queues(config, queues, await findEgress(config))),
    filterDrops: () => filter.drops,
  };
}

/** Inner packets have a way by policies of XFRM or by the TUN device, never both. */
class InnerPaths {
  readonly #addresses = new InnerAddresses();
  #mode: Mode | undefined;
  #tun: TunDevice | undefined;

  async follow(config: DataplaneConfig, mode: Mode, egress: Egress | undefined): Promise<void> {
    this.#mode = mode;
    if (mode === 'userspace') {
      await this.#addresses.clear(config.mark);
      if (this.#usable(config)) await this.#tun?.configure(tunInterface(config, innerMtu(config, egress)));
      return;
    }
    this.#closeTun();
    await this.#addresses.follow(config, egress && { interface: egress.name, mtu: innerMtu(config, egress) });
  }

  /** An interface that went away and came back has lost its routes. */
  async restore(config: DataplaneConfig, egress: Egress | undefined): Promise<void> {
    if (this.#mode === 'kernel') await this.follow(config, 'kernel', egress);
  }

  async queues(config: DataplaneConfig, count: number, egress: Egress | undefined): Promise<readonly number[]> {
    if (!this.#usable(config)) this.#closeTun();
    this.#tun ??= await TunDevice.open(tunInterface(config, innerMtu(config, egress)));
    return this.#tun.queues(count);
  }

  async close(): Promise<void> {
    this.#mode = undefined;
    this.#closeTun();
    await this.#addresses.close();
  }

  #usable({ tun }: DataplaneConfig): boolean {
    return this.#tun?.present === true && this.#tun.name === tun;
  }

  #closeTun(): void {
    this.#tun?.close();
    this.#tun = undefined;
  }
}
