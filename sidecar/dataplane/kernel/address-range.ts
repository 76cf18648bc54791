/** Ranges of addresses of one family, both ends included. */
import { compareAddresses, parsePrefix, prefixRange } from '../../ike/ip-address.ts';
import type { Bytes } from '../../ike/wire/bytes.ts';

export interface AddressRange {
  readonly start: Bytes;
  readonly end: Bytes;
}

/** @throws RangeError for text that is no prefix. */
export const rangeOf = (cidr: string): AddressRange => prefixRange(parsePrefix(cidr));
export const single = (address: Bytes): AddressRange => ({ start: address, end: address });

export const contains = (outer: AddressRange, inner: AddressRange): boolean =>
  outer.start.length === inner.start.length &&
  compareAddresses(outer.start, inner.start) <= 0 &&
  compareAddresses(inner.end, outer.end) <= 0;

/** How many addresses; more than 2^53 are not counted one by one. */
export const sizeOf = ({ start, end }: AddressRange): number =>
  start.reduce((sum, byte, index) => sum * 256 + (end[index] ?? 0) - byte, 0) + 1;
