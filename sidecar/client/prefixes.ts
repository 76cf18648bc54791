/** Traffic selectors as prefixes, for routes (RFC 7296 §3.13.1 has ranges, a routing table has none). */
import { formatAddress } from '../contract/address.ts';
import type { Selector } from '../contract/dataplane.ts';
import type { Bytes } from '../ike/wire/bytes.ts';

/** The fewest prefixes that hold just the addresses from start to end, in order. */
export function prefixesOf({ start, end }: Pick<Selector, 'start' | 'end'>): string[] {
  const bits = 8 * start.length;
  const last = toNumber(end);
  const prefixes: string[] = [];
  for (let first = toNumber(start); first <= last; ) {
    const size = largestBlock(first, last, bits);
    prefixes.push(`${formatAddress(toBytes(first, start.length))}/${bits - size}`);
    first += 1n << BigInt(size);
  }
  return prefixes;
}

/** Host bits of the largest block that begins at `first`, is aligned and does not reach beyond `last`. */
function largestBlock(first: bigint, last: bigint, bits: number): number {
  let size = 0;
  while (size < bits && (first & ((2n << BigInt(size)) - 1n)) === 0n && first + (2n << BigInt(size)) - 1n <= last) size++;
  return size;
}

const toNumber = (bytes: Bytes): bigint => bytes.reduce((number, byte) => (number << 8n) | BigInt(byte), 0n);

const toBytes = (number: bigint, length: number): Bytes =>
  Uint8Array.from({ length }, (_, at) => Number((number >> BigInt(8 * (length - 1 - at))) & 0xffn));
