/** The host of an agent: packet filter, inner addresses, TUN device, and what it finds wrong. Everything but XFRM. */
import type { DataplaneConfig } from '../../contract/dataplane-config.ts';
import { type Egress, findEgress, innerMtu, interfaceNames } from './egress.ts';
import { sysctls } from './forwarding.ts';
import { checkHost } from './host-checks.ts';
import { InnerAddresses } from './inner-addresses.ts';
import type { Host } from './kernel-port.ts';
import { probeKernel } from './kernel-probe.ts';
import { PacketFilter } from './packet-filter.ts';
import { TunDevice, tunInterface } from './tun-device.ts';

export function createHost(): Host {
  const filter = new PacketFilter();
  const addresses = new InnerAddresses();
  let tun: TunDevice | undefined;
  const mtuOf = async (config: DataplaneConfig): Promise<number> => innerMtu(config, await findEgress(config));

  async function follow(config: DataplaneConfig, dataplane: 'kernel' | 'userspace', egress: Egress | undefined): Promise<void> {
    const mtu = innerMtu(config, egress);
    if (dataplane === 'kernel') await addresses.follow(config, egress && { interface: egress.name, mtu });
    else if (tun?.present && tun.name === config.tun) await tun.configure(tunInterface(config, mtu));
  }

  return {
    async probeKernel() {
      const answer = await probeKernel();
      return answer.esp ? 'kernel' : { reason: answer.reason };
    },
    // The filter first: nothing has a way that it does not watch.
    async applyPacketFilter(config, dataplane) {
      const egress = await findEgress(config);
      await filter.apply(config, { dataplane, mtu: innerMtu(config, egress) });
      await follow(config, dataplane, egress);
    },
    async removePacketFilter() {
      await addresses.close();
      tun?.close();
      tun = undefined;
      await filter.remove();
    },
    async checkHost(config, dataplane) {
      const [egress, interfaces] = await Promise.all([findEgress(config), interfaceNames()]);
      const problems = await checkHost(config, { dataplane, egress, interfaces }, sysctls());
      const found = await filter.check();
      return found ? [found, ...problems] : problems;
    },
    innerMtu: mtuOf,
    async openTunDevice(config, queues) {
      if (tun && !(tun.present && tun.name === config.tun)) {
        tun.close();
        tun = undefined;
      }
      tun ??= await TunDevice.open(tunInterface(config, await mtuOf(config)));
      return tun.queues(queues);
    },
    filterDrops: () => filter.drops,
  };
}
