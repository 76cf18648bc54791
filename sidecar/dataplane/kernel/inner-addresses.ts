/**
 * The gateway's own inner addresses where the kernel is the data plane, and routes to the pools. The policies of XFRM are looked at for a
 * packet that has a route already, so that without these nothing reached them where there is no default route; the packet filter lets
 * nothing leave by them in clear. They bound what the kernel takes for the path MTU, and say which address we send from.
 *
 * The addresses are on `lo`, the routes on the interface that clients come through: from `lo` the kernel looks for no policy.
 */
import type { DataplaneConfig } from '../../contract/dataplane-config.ts';
import { IP, ipJson, run } from '../program.ts';
import { FAMILIES, type Family, ownAddress } from './inner-network.ts';

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
    await this.#sweep(config.mark);
    await this.#become(wantedFor(config, path));
  }

  /** Nothing is asked for any more. @throws ProgramError */
  async clear(mark: number): Promise<void> {
    await this.#sweep(mark);
    await this.#become(NOTHING);
  }

  /** Removes all that is ours. */
  close(): Promise<void> {
    return this.#become(NOTHING);
  }

  /** Takes over from an agent that was killed. With a mark others of our kind are on this host, whose things look the same. */
  async #sweep(mark: number): Promise<void> {
    if (!this.#swept && mark === 0) this.#present = await leftBehind();
    this.#swept = true;
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

function wantedFor({ pools }: DataplaneConfig, path: InnerPath | undefined): Wanted {
  const own = pools.flatMap((pool) => ownAddress(pool) ?? []);
  return {
    addresses: own.map((address) => host(address, address.includes(':') ? 6 : 4)),
    routes: path ? pools.map((pool) => ({ pool, line: routeLine(pool, path) })) : [],
  };
}

function routeLine(pool: string, path: InnerPath): string {
  const own = ownAddress(pool);
  return `${pool} dev ${path.interface} proto ${PROTOCOL} mtu ${path.mtu}${own === undefined ? '' : ` src ${own}`}`;
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
