/** The Internet checksum (RFC 1071) and the pseudo-header that ICMPv6 includes in it (RFC 8200 §8.1). */
import type { Bytes } from '../../ike/wire/bytes.ts';

/** One's complement of the one's complement sum of 16-bit words; 0 over data that holds its own correct checksum. */
export function internetChecksum(bytes: Bytes, seed = 0): number {
  return ~fold(sumOfWords(bytes, seed)) & 0xffff;
}

/** What `internetChecksum` takes as `seed` for an upper-layer packet of `length` bytes. */
export function pseudoHeaderSum(source: Bytes, destination: Bytes, protocol: number, length: number): number {
  return sumOfWords(source, sumOfWords(destination, protocol + length));
}

/** RFC 1624 equation 3: the checksum after one word of the covered data changed. */
export function updateChecksum(checksum: number, before: number, after: number): number {
  return ~fold((~checksum & 0xffff) + (~before & 0xffff) + after) & 0xffff;
}

// A sum of 65 536 bytes stays far below 2^53, so the carries are folded in once at the end.
function sumOfWords(bytes: Bytes, seed: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const even = bytes.length & ~1;
  let sum = seed;
  for (let at = 0; at < even; at += 2) sum += view.getUint16(at);
  return even < bytes.length ? sum + (view.getUint8(even) << 8) : sum;
}

function fold(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = Math.floor(folded / 0x1_0000) + (folded % 0x1_0000);
  return folded;
}
