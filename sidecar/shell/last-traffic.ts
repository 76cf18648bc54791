/** A data plane whose children are counted a last time before they go: for accounting. */
import type { PacketDataplane, Traffic } from '../dataplane/dataplane.ts';

export const withLastTraffic = (port: PacketDataplane, last: (spiIn: number, traffic: Traffic) => void): PacketDataplane => ({
  order(order) {
    const traffic = order.order === 'remove' ? port.traffic(order.spiIn) : undefined;
    if (order.order === 'remove' && traffic) last(order.spiIn, traffic);
    port.order(order);
  },
  receive: (packet, path) => port.receive(packet, path),
  reports: () => port.reports(),
  settle: () => port.settle(),
  stats: () => port.stats(),
  traffic: (spiIn) => port.traffic(spiIn),
  close: () => port.close(),
});
