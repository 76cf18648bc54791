/**
 * How large an inner packet may be so that the packet around it fits the interface that clients come through. Pure.
 *
 *     IP 20 or 40 | UDP 8 | SPI and sequence number 8 | IV | inner packet, padding, pad length 1, next header 1 | ICV
 *
 * (RFC 4303 §2, RFC 3948 §2.1). Padding fills a block of the cipher, of at least 4 bytes. The most expensive suite that we negotiate counts:
 * AES-CBC with HMAC-SHA2-512-256, an IV of 16 bytes, blocks of 16, an ICV of 32. An interface of 1 500 bytes leaves 1 406 in IPv4 and 1 390
 * in IPv6; AES-GCM (IV 8, blocks of 4, ICV 16) would have left 1 438 and 1 418.
 */
import type { Family } from './inner-network.ts';

const OUTER = { 4: 20, 6: 40 } as const;
const UDP = 8;
const ESP = 8;
const TRAILER = 2;
const COSTLIEST = { iv: 16, block: 16, icv: 32 } as const;

/** RFC 791 §3.1 and RFC 8200 §5: below this an inner packet need not be able to get through; then the outer one is sent in fragments. */
export const LEAST_MTU = { 4: 576, 6: 1280 } as const;

export function fittingMtu(interfaceMtu: number, outer: Family): number {
  const room = interfaceMtu - OUTER[outer] - UDP - ESP - COSTLIEST.iv - COSTLIEST.icv;
  return room - (room % COSTLIEST.block) - TRAILER;
}
