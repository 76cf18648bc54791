/** The Internet checksum (RFC 1071) over packets in an arena, four bytes at a time. */
import type { NativeArena } from './native.ts';

/** The one's complement sum of 16-bit words, in network order, not yet complemented: 0 to 0xffff. An even `at`. */
export function wordSum({ words, view }: NativeArena, at: number, length: number): number {
  let low = 0;
  let high = 0;
  let from = at;
  const end = at + length;
  if ((from & 2) !== 0 && length >= 2) {
    low = view.getUint16(from, true);
    from += 2;
  }
  // 2^14 words of a packet do not overflow 31 bits.
  const last = from + ((end - from) & ~3);
  for (let word = from >> 2; word < last >> 2; word++) {
    const value = words[word] ?? 0;
    low += value & 0xffff;
    high += value >>> 16;
  }
  from = last;
  if (end - from >= 2) {
    low += view.getUint16(from, true);
    from += 2;
  }
  if (from < end) low += view.getUint8(from);
  // RFC 1071 §2 (B): the sum does not depend on the order of bytes but for the order of its own.
  const sum = foldSum(low + high);
  return ((sum & 0xff) << 8) | (sum >>> 8);
}

/** The carries come back at the other end, until there are none. */
export function foldSum(sum: number): number {
  const once = (sum & 0xffff) + (sum >>> 16);
  return (once & 0xffff) + (once >>> 16);
}

/** Of addresses, protocol and length of what TCP or UDP checksums cover beside themselves (RFC 9293 §3.1, RFC 8200 §8.1). */
export function pseudoSum(arena: NativeArena, packet: number, protocol: number, length: number): number {
  const ipv4 = arena.view.getUint8(packet) >>> 4 === 4;
  const addresses = ipv4 ? wordSum(arena, packet + 12, 8) : wordSum(arena, packet + 8, 32);
  return foldSum(addresses + protocol + length);
}
