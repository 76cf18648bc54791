/** The data plane that the configuration asks for, with the gateway's own inner addresses: the first of each pool. */
import { parsePrefix } from '../contract/address.ts';
import type { GatewayConfig } from '../contract/gateway-config.ts';
import type { PacketDataplane } from '../dataplane/dataplane.ts';
import { NO_DROPS, NO_TRAFFIC } from '../dataplane/userspace/traffic.ts';
import { openTun, type Tun } from '../dataplane/userspace/tun.ts';
import { UserspaceDataplane, type UserspaceSettings } from '../dataplane/userspace.ts';
import type { Cryptography } from '../ike/crypto/cryptography.ts';
import { formatAddress } from '../ike/ip-address.ts';
import type { Path } from '../ike/sa.ts';
import type { Bytes } from '../ike/wire/bytes.ts';

export interface GatewayDataplane {
  readonly port: PacketDataplane;
  /** From now on inner packets come and go. @throws Error that names the remedy when the TUN device cannot be had. */
  open(): Promise<void>;
  configure(config: GatewayConfig): void;
  close(): Promise<void>;
}

export interface DataplaneOptions {
  readonly config: GatewayConfig;
  readonly crypto: Cryptography;
  readonly random: (length: number) => Bytes;
  readonly send: (packet: Bytes, path: Path) => void;
  /** The name of a TUN device to carry inner packets, which needs CAP_NET_ADMIN; undefined: none leave the process. */
  readonly tun: string | undefined;
  /** Something was carried outside of a call of ours. */
  readonly active: () => void;
  readonly failed: (error: Error) => void;
}

export type CreateDataplane = (options: DataplaneOptions) => GatewayDataplane;

export const createDataplane: CreateDataplane = (options) => (options.config.dataplane === 'none' ? none() : userspace(options));

function userspace({ config, crypto, random, send, tun: name, active, failed }: DataplaneOptions): GatewayDataplane {
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

/** IKE only: for tests of the protocol, and for children that something else carries. */
function none(): GatewayDataplane {
  const drops = { ...NO_DROPS };
  const port: PacketDataplane = {
    order: () => {},
    receive() {
      drops['unknown-spi']++;
      return 'unknown-spi';
    },
    reports: () => [],
    settle: () => undefined,
    stats: () => ({ children: [], totals: NO_TRAFFIC, drops: { ...drops } }),
    traffic: () => undefined,
    close: () => {},
  };
  return { port, open: async () => {}, configure: () => {}, close: async () => {} };
}
