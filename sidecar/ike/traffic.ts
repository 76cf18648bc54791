/** Traffic selectors (RFC 7296 §2.9 and §3.13.1): ranges of addresses, protocols and ports, and their intersection. */
import type { Selector } from '../contract/dataplane.ts';
import { compareAddresses, type Family, parsePrefix, perList, prefixRange } from './ip-address.ts';
import { type Bytes, equalBytes } from './wire/bytes.ts';

export { formatAddress, parseAddress, parsePrefix } from './ip-address.ts';

/** As many as we ever keep of one side: what a peer asks for must not grow without bound. */
export const MAX_SELECTORS = 32;

const anyPort = { protocol: 0, startPort: 0, endPort: 0xffff } as const;

/** @throws RangeError for text that is no prefix. */
export const prefixSelector = (cidr: string): Selector => ({ ...anyPort, ...prefixRange(parsePrefix(cidr)) });

export const prefixSelectors = perList(prefixSelector);

/** One address, 4 or 16 bytes. */
export const addressSelector = (address: Bytes): Selector => ({ ...anyPort, start: address, end: address });

export const everything = (family: Family): Selector => prefixSelector(family === 4 ? '0.0.0.0/0' : '::/0');

/**
 * What both sides want: the part of `requested` that `allowed` covers, in the order of the request, so that its first selector,
 * which RFC 7296 §2.9 lets stand for the packet that began it all, comes first. Empty: TS_UNACCEPTABLE.
 */
export function narrow(requested: readonly Selector[], allowed: readonly Selector[]): Selector[] {
  const result: Selector[] = [];
  for (const wanted of requested) {
    for (const limit of allowed) {
      const common = intersect(wanted, limit);
      if (common === undefined || result.some((known) => sameSelector(known, common))) continue;
      result.push(common);
      if (result.length === MAX_SELECTORS) return result;
    }
  }
  return result;
}

/** Whether all of `inner` lies in one of `outer`. */
export const contains = (outer: readonly Selector[], inner: Selector): boolean =>
  outer.some((selector) => {
    const common = intersect(selector, inner);
    return common !== undefined && sameSelector(common, inner);
  });

function intersect(left: Selector, right: Selector): Selector | undefined {
  if (left.start.length !== right.start.length) return undefined;
  if (left.protocol !== 0 && right.protocol !== 0 && left.protocol !== right.protocol) return undefined;
  const ports = intersectPorts(left, right);
  if (ports === undefined) return undefined;
  const start = compareAddresses(left.start, right.start) >= 0 ? left.start : right.start;
  const end = compareAddresses(left.end, right.end) <= 0 ? left.end : right.end;
  if (compareAddresses(start, end) > 0) return undefined;
  return { protocol: left.protocol || right.protocol, ...ports, start, end };
}

function intersectPorts(left: Selector, right: Selector): Pick<Selector, 'startPort' | 'endPort'> | undefined {
  // RFC 7296 §3.13.1: 65535 to 0 is OPAQUE, packets that show no port. Only a range of all ports has them too.
  if (isOpaque(left)) return isOpaque(right) || isAny(right) ? ports(left) : undefined;
  if (isOpaque(right)) return isAny(left) ? ports(right) : undefined;
  const startPort = Math.max(left.startPort, right.startPort);
  const endPort = Math.min(left.endPort, right.endPort);
  return startPort <= endPort ? { startPort, endPort } : undefined;
}

const ports = ({ startPort, endPort }: Selector): Pick<Selector, 'startPort' | 'endPort'> => ({ startPort, endPort });
const isOpaque = ({ startPort, endPort }: Selector): boolean => startPort === 0xffff && endPort === 0;
const isAny = ({ startPort, endPort }: Selector): boolean => startPort === 0 && endPort === 0xffff;

const sameSelector = (left: Selector, right: Selector | undefined): boolean =>
  right !== undefined &&
  left.protocol === right.protocol &&
  left.startPort === right.startPort &&
  left.endPort === right.endPort &&
  equalBytes(left.start, right.start) &&
  equalBytes(left.end, right.end);
