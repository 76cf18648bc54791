/** What a configuration says about inner addresses, sorted as the packet filter and the routes of the host need it. Pure. */
import { formatAddress, formatPrefix, type Prefix, parsePrefix } from '../../contract/address.ts';
import type { DataplaneConfig } from '../../contract/dataplane-config.ts';

export type Family = 4 | 6;
export const FAMILIES = [4, 6] as const;

/** Prefixes and addresses as text; none lies within another of its list. */
export interface InnerNetwork {
  readonly pools: readonly string[];
  /** The first address of each pool. */
  readonly own: readonly string[];
  /** Routes that name a network. */
  readonly named: readonly string[];
  /** Routes that mean the world, such as 0.0.0.0/0: neither this pod's own addresses nor what a network hides from the world. */
  readonly broad: readonly string[];
}

/** Shorter than 10.0.0.0/8 or fc00::/7, no prefix is a network that somebody has. */
const SHORTEST_NETWORK = { 4: 8, 6: 7 } as const;

/** @throws RangeError when the configuration holds a prefix that is none. */
export function innerNetwork(config: Pick<DataplaneConfig, 'pools' | 'routes'>, family: Family): InnerNetwork {
  const pools = ofFamily(config.pools, family);
  const routes = ofFamily(config.routes, family);
  const broad = (prefix: Prefix): boolean => prefix.bits < SHORTEST_NETWORK[family];
  return {
    pools: outermost(pools),
    own: pools.flatMap((pool) => firstAddress(pool) ?? []),
    named: outermost(routes.filter((prefix) => !broad(prefix))),
    broad: outermost(routes.filter(broad)),
  };
}

/** Prefixes without those that lie within another: sets of intervals take no overlap. */
export function outermost(prefixes: readonly Prefix[]): string[] {
  const kept: Prefix[] = [];
  for (const prefix of prefixes.toSorted((a, b) => a.bits - b.bits))
    if (!kept.some((outer) => holds(outer, prefix))) kept.push(prefix);
  return kept.map(formatPrefix);
}

export const prefixOf = (text: string): Prefix => {
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw new RangeError(`not an IPv4 or IPv6 prefix: ${text}`);
  return prefix;
};

const ofFamily = (prefixes: readonly string[], family: Family): Prefix[] =>
  prefixes.map(prefixOf).filter(({ address }) => (address.length === 4) === (family === 4));

/** The gateway's own of this pool; undefined: it has a single address, which is none's but a client's. */
export const ownAddress = (pool: string): string | undefined => firstAddress(prefixOf(pool));

function firstAddress({ address, bits }: Prefix): string | undefined {
  if (bits === 8 * address.length) return undefined;
  const first = Uint8Array.from(address);
  first[first.length - 1] = (first.at(-1) ?? 0) | 1;
  return formatAddress(first);
}

function holds(outer: Prefix, inner: Prefix): boolean {
  if (outer.bits > inner.bits) return false;
  const at = (prefix: Prefix, bit: number): number => ((prefix.address[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1;
  return Array.from({ length: outer.bits }, (_, bit) => at(outer, bit) === at(inner, bit)).every(Boolean);
}
