/**
 * The gateway's own inner addresses where the kernel is the data plane, and routes to the pools. The policies of XFRM are looked at for a
 * packet that has a route already, so that without these nothing reached them where there is no default route; the packet filter lets
 * nothing leave by them in clear. They bound what the kernel takes for the path MTU, and say which address we send from.
 *
 * The addresses are on `lo`, the routes on the interface that clients come through: from `lo` the kernel looks for no policy.
 */
import type { DataplaneConfig } from '../../contract/dataplane-config.ts';
import { IP, ipJson, run } from '../program.ts';
import { FAMILIES, type Family, innerNetwork } from './inner-network.ts';

/** By this `ip route show proto 205` shows the routes that are ours. linux/rtnetlink.h gives that number to no routing daemon. */
const PROTOCOL = '205';

export interface InnerPath {
  readonly interface: string;
  /** Of inner packets. */
  readonly mtu: number;
}

interface Wanted {
  /** With the length of its family. */
  readonly addresses: readonly string[];
  readonly routes: readonly { readonly pool: string; readonly line: string }[];
}

const NOTHING: Wanted = { addresses: [], routes: [] };

export class InnerAddresses {
  #present: Wanted = NOTHING;
  #swept = false;

  /** What is there already stays; what is no longer asked for goes. @throws ProgramError */
  async follow(config: DataplaneConfig, path: InnerPath | undefined): Promise<void> {
    // With a mark others of our kind are on this host.
    if (!this.#swept && config.mark === 0) this.#present = await leftBehind();
    this.#swept = true;
    const wanted = wantedFor(config, path);
    await this.#become(wanted);
  }

  /** Removes all that is ours. */
  async close(): Promise<void> {
    await this.#become(NOTHING);
  }

  async #become(wanted: Wanted): Promise<void> {
    const gone = {
      addresses: this.#present.addresses.filter((address) => !wanted.addresses.includes(address)),
      routes: this.#present.routes.filter(({ pool }) => wanted.routes.every((other) => other.pool !== pool)),
    };
    await batch([
      ...wanted.addresses.map((address) => `address replace ${address} dev lo${address.includes(':') ? ' nodad' : ''}`),
      ...wanted.routes.map(({ line }) => `route replace ${line}`),
    ]);
    this.#present = wanted;
    // An interface that went away took its routes with it.
    for (const { pool } of gone.routes) await batch([`route del ${pool} proto ${PROTOCOL}`]).catch(() => {});
    for (const address of gone.addresses) await batch([`address del ${address} dev lo`]).catch(() => {});
  }
}

function wantedFor(config: DataplaneConfig, path: InnerPath | undefined): Wanted {
  const networks = FAMILIES.map((family) => ({ family, ...innerNetwork(config, family) }));
  return {
    addresses: networks.flatMap(({ family, own }) => own.map((address) => host(address, family))),
    routes: path
      ? networks.flatMap(({ pools, own }) =>
          pools.map((pool) => ({
            pool,
            line: `${pool} dev ${path.interface} proto ${PROTOCOL} mtu ${path.mtu}${own[0] ? ` src ${own[0]}` : ''}`,
          })),
        )
      : [],
  };
}

const host = (address: string, family: Family): string => `${address}/${family === 4 ? 32 : 128}`;

interface Printed {
  readonly dst: string;
  readonly prefsrc?: string;
}

/** Of an agent that was killed: its routes name its addresses. */
async function leftBehind(): Promise<Wanted> {
  const found = await Promise.all(
    FAMILIES.map(async (family) => {
      const routes = (await ipJson([`-${family}`, 'route', 'show', 'proto', PROTOCOL])) as readonly Printed[];
      return {
        addresses: routes.flatMap(({ prefsrc }) => (prefsrc === undefined ? [] : [host(prefsrc, family)])),
        routes: routes.map(({ dst }) => ({ pool: dst.includes('/') ? dst : host(dst, family), line: '' })),
      };
    }),
  );
  return { addresses: [...new Set(found.flatMap((one) => one.addresses))], routes: found.flatMap((one) => one.routes) };
}

const batch = async (lines: readonly string[]): Promise<void> => {
  if (lines.length > 0) await run(IP, ['-batch', '-'], lines.map((line) => `${line}\n`).join(''));
};
