/** The interface that clients come through: that of the default routes. As `ip` of iproute2 knows it. */
import type { DataplaneConfig } from '../../contract/dataplane-config.ts';
import { ipJson } from '../program.ts';
import { fittingMtu, LEAST_MTU } from './inner-mtu.ts';
import { FAMILIES, type Family } from './inner-network.ts';

export interface Egress {
  readonly name: string;
  /** The least of those of all default routes. */
  readonly mtu: number;
  /** Versions of IP that a default route is for. */
  readonly families: readonly Family[];
  /** The default route of IPv6 comes from router advertisements, which an interface that forwards ignores (accept_ra). */
  readonly advertised: boolean;
}

/** Undefined: there is neither a default route nor one of the configured interfaces. @throws ProgramError */
export async function findEgress({ interfaces }: Pick<DataplaneConfig, 'interfaces'>): Promise<Egress | undefined> {
  const [links, ...defaults] = await Promise.all([readLinks(), ...FAMILIES.map(defaultRoutes)]);
  const routes = defaults.flat();
  const names = new Set(routes.length > 0 ? routes.map(({ dev }) => dev) : interfaces.slice(0, 1));
  const found = links.filter(({ ifname }) => names.has(ifname));
  const [first] = [...names].flatMap((name) => found.filter(({ ifname }) => ifname === name));
  if (!first) return undefined;
  return {
    name: first.ifname,
    mtu: Math.min(...found.map(({ mtu }) => mtu), ...routes.flatMap(({ mtu }) => mtu ?? [])),
    families: FAMILIES.filter((family) => routes.some((route) => route.family === family)),
    advertised: routes.some(({ family, protocol }) => family === 6 && protocol === 'ra'),
  };
}

/** Of the interfaces there are. @throws ProgramError */
export const interfaceNames = async (): Promise<readonly string[]> => (await readLinks()).map(({ ifname }) => ifname);

/** Where nothing is known of the interface: that of Ethernet. */
const USUAL_MTU = 1500;

/** Bytes of an inner packet: what is configured, or what fits. */
export function innerMtu({ traffic, pools }: DataplaneConfig, egress: Egress | undefined): number {
  if (traffic.mtu !== 0) return traffic.mtu;
  const least = LEAST_MTU[pools.some((pool) => pool.includes(':')) ? 6 : 4];
  return Math.max(least, fits(egress));
}

/**
 * What segments of TCP are made to fit: the interface, even where packets need not. A kernel that forwards drops IPv6 that does not fit, and whoever
 * sent it need not be able to send less than 1 280 bytes (RFC 8200 §5).
 */
export const segmentMtu = (config: DataplaneConfig, egress: Egress | undefined): number =>
  Math.min(innerMtu(config, egress), fits(egress));

/** Some come by IPv6 where that leads out. */
export const fits = (egress: Egress | undefined): number =>
  fittingMtu(egress?.mtu ?? USUAL_MTU, !egress || egress.families.includes(6) ? 6 : 4);

interface Link {
  readonly ifname: string;
  readonly mtu: number;
}

interface Route {
  readonly family: Family;
  readonly dev: string;
  readonly protocol: string | undefined;
  readonly mtu: number | undefined;
}

const readLinks = async (): Promise<readonly Link[]> => (await ipJson(['link', 'show'])) as readonly Link[];

/** A route by several gateways has its interfaces in `nexthops`. */
interface Printed {
  readonly dev?: string;
  readonly protocol?: string;
  readonly nexthops?: readonly { readonly dev?: string }[];
  readonly metrics?: readonly { readonly mtu?: number }[];
}

async function defaultRoutes(family: Family): Promise<readonly Route[]> {
  const printed = (await ipJson([`-${family}`, 'route', 'show', 'default'])) as readonly Printed[];
  return printed.flatMap(({ dev, protocol, nexthops, metrics }) =>
    [dev, ...(nexthops ?? []).map((hop) => hop.dev)].flatMap((name) =>
      name === undefined ? [] : [{ family, dev: name, protocol, mtu: metrics?.[0]?.mtu }],
    ),
  );
}
