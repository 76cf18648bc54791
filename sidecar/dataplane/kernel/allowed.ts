/**
 * What the agent does for a sidecar, and nothing beyond: the sidecar parses what the internet sends, and whoever takes it over must not be able to
 * route the node's traffic, to steal addresses that are not of its pools, or to have the kernel hold more than the gateway can need.
 *
 * Two children may name the same address at the far end: a session that resumes on another pod or rekeys is there twice for a while, the newest wins.
 */
import { ENCRYPTION, INTEGRITY } from '../../contract/algorithms.ts';
import type { ChildSa, InstallOrder, MoveOrder, Selector } from '../../contract/dataplane.ts';
import type { DataplaneConfig } from '../../contract/dataplane-config.ts';
import { compareAddresses, formatAddress } from '../../ike/ip-address.ts';
import type { Bytes } from '../../ike/wire/bytes.ts';
import { type AddressRange, contains, rangeOf, single, sizeOf } from './address-range.ts';
import { refusedPath } from './allowed-path.ts';

/** Each answers why not, with the field; undefined: allowed. */
export interface Allowance {
  install(order: InstallOrder): string | undefined;
  move(order: MoveOrder): string | undefined;
  /** At one time. */
  readonly mostChildren: number;
}

/** Of selectors of the two sides; what one pair takes of the kernel is limited where it is taken apart. */
const MOST_PAIRS = 256;
/** Names of peers are for people; a distinguished name of more than this is none. */
const LONGEST_IDENTITY = 4096;
/** What the kernel holds for all children, about 2 KiB for each, has a limit however large the pools are. */
const MOST_CHILDREN = 1 << 18;
/** A client has a child or a few, each twice while it is rekeyed. */
const CHILDREN_PER_ADDRESS = 16;

/** `isOwn`: whether this machine has the address. */
export function allowanceOf(config: DataplaneConfig, isOwn: (address: Bytes) => boolean): Allowance {
  const pools = config.pools.map(rangeOf);
  const routes = config.routes.map(rangeOf);
  const gateways = pools.flatMap(gatewayAddress);
  const reach = config.traffic.isolateClients ? [...routes, ...gateways] : [...routes, ...pools];
  const path = (given: ChildSa['path'], encapsulated: boolean): string | undefined =>
    refusedPath(given, { natPort: encapsulated ? config.natPort : undefined, pools, isOwn });
  return {
    mostChildren: Math.min(MOST_CHILDREN, CHILDREN_PER_ADDRESS * pools.reduce((sum, pool) => sum + sizeOf(pool), 0)),
    install: ({ child }) =>
      refusedSuite(child) ??
      refusedSequences(child) ??
      first('child.remote', child.remote, (selector) => refusedRemote(selector, pools, gateways)) ??
      first('child.local', child.local, (selector) => refusedLocal(selector, reach)) ??
      refusedPairs(child) ??
      inside('child', path(child.path, child.encapsulated)) ??
      (child.peer.data.length > LONGEST_IDENTITY
        ? `child.peer.data: ${child.peer.data.length} bytes; at most ${LONGEST_IDENTITY} are taken`
        : undefined),
    move: (order) => path(order.path, order.encapsulated),
  };
}

/** RFC 7296 §3.3.2: only what a gateway of ours negotiates; keys of another size are keys of something else. */
function refusedSuite({ suite, keyIn, keyOut }: ChildSa): string | undefined {
  const { encr, keyBits, integ } = suite;
  if (!Object.values(ENCRYPTION).some((one) => one.id === encr && one.keyBits === keyBits))
    return `child.suite.encr: there is no algorithm ${encr} with ${keyBits} bits`;
  const isAead = encr !== ENCRYPTION.aes256.id;
  const integLength = isAead ? 0 : INTEG_KEY_BYTES.get(integ);
  if (integLength === undefined || (isAead && integ !== 0))
    return `child.suite.integ: there is no algorithm ${integ} for algorithm ${encr}`;
  // RFC 4106 §8.1, RFC 7634 §2: a salt of 4 bytes ends the key of an AEAD. ChaCha20 has keys of 256 bits.
  const encrLength = (keyBits || 256) / 8 + (isAead ? 4 : 0);
  const faults = Object.entries({ keyIn, keyOut }).flatMap(([name, key]) => [
    ...(key.encr.length === encrLength ? [] : [`child.${name}.encr: ${key.encr.length} bytes instead of ${encrLength}`]),
    ...(key.integ.length === integLength ? [] : [`child.${name}.integ: ${key.integ.length} bytes instead of ${integLength}`]),
  ]);
  return faults[0];
}

/** RFC 4868 §2.1.1: as long as the output of the hash; RFC 2404 §3. */
const INTEG_KEY_BYTES: ReadonlyMap<number, number> = new Map([
  [INTEGRITY.sha256, 32],
  [INTEGRITY.sha384, 48],
  [INTEGRITY.sha512, 64],
  [INTEGRITY.sha1, 20],
]);

/** RFC 4303 §2.2. */
function refusedSequences({ suite, sequences }: ChildSa): string | undefined {
  if (suite.esn || Math.max(sequences.sent, sequences.received) <= 0xffff_ffff) return undefined;
  return 'child.sequences: beyond 32 bits without extended sequence numbers';
}

function refusedRemote(
  selector: Selector,
  pools: readonly AddressRange[],
  gateways: readonly AddressRange[],
): string | undefined {
  if (!pools.some((pool) => contains(pool, selector))) return `${shown(selector)} is not inside one pool`;
  const own = gateways.find((gateway) => contains(selector, gateway));
  return own ? `${shown(selector)} holds the gateway's own address ${formatAddress(own.start)}` : undefined;
}

function refusedLocal(selector: Selector, reach: readonly AddressRange[]): string | undefined {
  if (reach.some((one) => contains(one, selector))) return undefined;
  return `${shown(selector)} is not inside one of the routes, nor of the pools where clients may reach each other`;
}

function refusedPairs({ local, remote }: ChildSa): string | undefined {
  const ofFamily = (length: number) => (side: readonly Selector[]) => side.filter(({ start }) => start.length === length).length;
  const [ipv4, ipv6] = [ofFamily(4), ofFamily(16)];
  const pairs = ipv4(local) * ipv4(remote) + ipv6(local) * ipv6(remote);
  if (pairs === 0) return 'child.local: no selector of a family that child.remote has';
  return pairs > MOST_PAIRS ? `child.local: ${pairs} pairs with child.remote; at most ${MOST_PAIRS} in one child` : undefined;
}

function first(
  field: string,
  selectors: readonly Selector[],
  refused: (one: Selector) => string | undefined,
): string | undefined {
  for (const [index, selector] of selectors.entries()) {
    const why = compareAddresses(selector.start, selector.end) > 0 ? 'ends before it starts' : refused(selector);
    if (why !== undefined) return `${field}[${index}]: ${why}`;
  }
  return undefined;
}

const inside = (field: string, why: string | undefined): string | undefined => why && `${field}.${why}`;

/** The second address of a pool; a pool of a single address has none. */
function gatewayAddress({ start, end }: AddressRange): readonly AddressRange[] {
  if (compareAddresses(start, end) === 0) return [];
  const own = start.with(-1, (start.at(-1) ?? 0) + 1);
  return [single(own)];
}

const shown = ({ start, end }: Selector): string =>
  compareAddresses(start, end) === 0 ? formatAddress(start) : `${formatAddress(start)} to ${formatAddress(end)}`;
