/**
 * Traffic selectors as the kernel can look them up. RFC 7296 §3.13.1 has ranges of addresses and ports; the kernel has prefixes, and ports under
 * a mask. A range is taken apart into as few of these as there can be, so that exactly the packets of the range are carried (RFC 4301 §4.4.1.1);
 * a child that would take more policies than MOST_PAIRS is refused rather than carried wider than was agreed.
 */
import type { ChildSa, Selector } from '../../contract/dataplane.ts';
import { type Bytes, hex } from '../../ike/wire/bytes.ts';
import { ANY_PORT, familyOf, type PortMask, selectorBytes, type XfrmPrefix, type XfrmSelector } from './xfrm-structures.ts';

/** Of prefixes and ports, ours and the peer's, in one child. */
export const MOST_PAIRS = 64;

const ICMP = 1;
const IPV6_ICMP = 58;

/** One side of a policy. */
interface Side {
  readonly protocol: number;
  readonly prefix: XfrmPrefix;
  readonly port: PortMask;
}

/**
 * What a child carries from us to the peer; for what comes back see `reversed`. None twice.
 * @throws Error that says why the kernel cannot carry it.
 */
export function outboundSelectors({ local, remote }: Pick<ChildSa, 'local' | 'remote'>): readonly XfrmSelector[] {
  const [ours, theirs] = [sidesOf(local), sidesOf(remote)];
  const pairs = new Map<string, XfrmSelector>();
  for (const source of ours) {
    for (const destination of theirs) {
      const pair = pairOf(source, destination);
      if (pair) pairs.set(selectorKey(pair), pair);
      if (pairs.size > MOST_PAIRS) throw tooMany();
    }
  }
  if (pairs.size === 0) throw new Error('no packet could pass: no selector of ours and of the peer fit each other');
  return [...pairs.values()];
}

export const reversed = (selector: XfrmSelector): XfrmSelector => ({
  ...selector,
  source: selector.destination,
  destination: selector.source,
  // Type and code of ICMP are those of the packet, whichever way it goes.
  ...(isIcmp(selector.protocol) ? {} : { sourcePort: selector.destinationPort, destinationPort: selector.sourcePort }),
});

export const selectorKey = (selector: XfrmSelector): string => hex(selectorBytes(selector));

/**
 * Of two policies for one packet the narrower counts: first by the peer's addresses, then by ours, then by protocol and ports. The lower number
 * wins; those below all of these are left to an administrator.
 */
export function priorityOf({ family, source, destination, protocol, sourcePort, destinationPort }: XfrmSelector): number {
  const hostBits = ({ length }: XfrmPrefix): number => (family === 2 ? 32 : 128) - length;
  const anyPorts = (sourcePort.mask === 0 ? 1 : 0) + (destinationPort.mask === 0 ? 1 : 0);
  return 0x10_0000 + hostBits(destination) * 2048 + hostBits(source) * 8 + (protocol === 0 ? 4 : 0) + anyPorts;
}

/** Undefined when no packet has the one side and the other. */
function pairOf(source: Side, destination: Side): XfrmSelector | undefined {
  const family = familyOf(source.prefix.address);
  if (family !== familyOf(destination.prefix.address)) return undefined;
  const protocol = source.protocol || destination.protocol;
  if (destination.protocol !== 0 && destination.protocol !== protocol) return undefined;
  return {
    family,
    source: source.prefix,
    destination: destination.prefix,
    protocol,
    sourcePort: source.port,
    destinationPort: destination.port,
  };
}

/** Nothing is taken apart beyond what can be carried: a peer has a say in these ranges, and each may be thousands of blocks. */
function sidesOf(selectors: readonly Selector[]): readonly Side[] {
  const sides: Side[] = [];
  for (const selector of selectors) {
    const [ports, prefixes] = [portsOf(selector), prefixesOf(selector)];
    if (sides.length + ports.length * prefixes.length > MOST_PAIRS) throw tooMany();
    for (const prefix of prefixes) for (const port of ports) sides.push({ protocol: selector.protocol, prefix, port });
  }
  return sides;
}

function portsOf({ protocol, startPort, endPort }: Selector): readonly PortMask[] {
  if (startPort === 0 && endPort === 0xffff) return [ANY_PORT];
  // RFC 4301 §4.4.1.1: type and code in one number, which the kernel looks for in two places.
  if (isIcmp(protocol)) throw new Error('the kernel data plane carries ICMP of all types and codes only, not a range of them');
  // RFC 7296 §3.13.1: OPAQUE, packets that show no port; in the kernel's eyes these have port 0.
  if (startPort === 0xffff && endPort === 0) return [{ port: 0, mask: 0xffff }];
  if (startPort > endPort) throw new Error('a range of ports that ends before it begins');
  return blocksOf(BigInt(startPort), BigInt(endPort), 16).map(({ first, length }) => ({
    port: Number(first),
    mask: (0xffff << (16 - length)) & 0xffff,
  }));
}

function prefixesOf({ start, end }: Selector): readonly XfrmPrefix[] {
  const bits = 8 * start.length;
  if (start.length !== end.length || numberOf(start) > numberOf(end)) {
    throw new Error('a range of addresses that ends before it begins');
  }
  return blocksOf(numberOf(start), numberOf(end), bits).map(({ first, length }) => ({
    address: bytesOf(first, start.length),
    length,
  }));
}

/** The fewest aligned blocks that make up a range of numbers of so many bits. */
function blocksOf(start: bigint, end: bigint, bits: number): readonly { readonly first: bigint; readonly length: number }[] {
  const blocks: { first: bigint; length: number }[] = [];
  for (let first = start; first <= end; ) {
    let hostBits = 0;
    while (hostBits < bits && isAligned(first, hostBits + 1) && first + (1n << BigInt(hostBits + 1)) - 1n <= end) hostBits++;
    blocks.push({ first, length: bits - hostBits });
    if (blocks.length > MOST_PAIRS) throw tooMany();
    first += 1n << BigInt(hostBits);
  }
  return blocks;
}

const isAligned = (value: bigint, bits: number): boolean => (value & ((1n << BigInt(bits)) - 1n)) === 0n;
const isIcmp = (protocol: number): boolean => protocol === ICMP || protocol === IPV6_ICMP;
const numberOf = (bytes: Bytes): bigint => BigInt(`0x${hex(bytes)}`);

function bytesOf(value: bigint, length: number): Bytes {
  return Uint8Array.from({ length }, (_, at) => Number((value >> BigInt(8 * (length - 1 - at))) & 0xffn));
}

const tooMany = (): Error =>
  new Error(`its selectors take more than ${MOST_PAIRS} policies of the kernel; negotiate prefixes instead of ranges`);
