/** ESP in this process, with the gateway's own inner addresses: the first of each pool. */
import { parsePrefix } from '../contract/address.ts';
import type { GatewayConfig } from '../contract/gateway-config.ts';
import { openTun, type Tun } from '../dataplane/userspace/tun.ts';
import { UserspaceDataplane, type UserspaceSettings } from '../dataplane/userspace.ts';
import { formatAddress } from '../ike/ip-address.ts';
import type { Bytes } from '../ike/wire/bytes.ts';
import type { DataplaneOptions, GatewayDataplane } from './gateway-dataplane.ts';

type Carrier = Omit<GatewayDataplane, 'kind'>;

export function userspaceDataplane({ config, crypto, random, send, tun: name, active, failed }: DataplaneOptions): Carrier {
  let tun: Tun | undefined;
  const port = new UserspaceDataplane({
    ...settings(config),
    ...{ crypto, random, send, forward: true },
    ...(name !== undefined && { deliver: (inner) => void tun?.write(inner) }),
  });
  const receive = (inner: Bytes): void => {
    port.transmit(inner);
    active();
  };
  return {
    port,
    problems: () => [],
    async open() {
      if (name !== undefined) tun = await openTun({ name, addresses: interfaceAddresses(config), routes: [], receive, failed });
    },
    configure: (next) => port.configure(settings(next)),
    async close() {
      port.close();
      await tun?.close();
    },
  };
}

const settings = ({ pools, esp }: GatewayConfig): UserspaceSettings => ({
  ownAddresses: pools.flatMap(({ cidr }) => firstAddress(cidr) ?? []),
  lifetimeBytes: esp.lifetimeBytes,
});

/** With the pool's length, so that the kernel routes the whole pool into the device. */
const interfaceAddresses = ({ pools }: GatewayConfig): readonly string[] =>
  pools.flatMap(({ cidr }) => {
    const first = firstAddress(cidr);
    return first ? [`${formatAddress(first)}/${parsePrefix(cidr)?.bits}`] : [];
  });

/** The one behind the network's own. */
function firstAddress(cidr: string): Bytes | undefined {
  const address = parsePrefix(cidr)?.address.slice();
  const last = address?.at(-1);
  if (!address || last === undefined) return undefined;
  address[address.length - 1] = last | 1;
  return address;
}
