/** What tells IKE from ESP on the NAT port (RFC 3948 §2, RFC 7296 §2.23). */
import type { Bytes } from '../ike/wire/bytes.ts';

export const MARKER_LENGTH = 4;

/** RFC 3948 §2.2: four zero bytes, where ESP has an SPI, which is never zero. */
export const isMarked = (bytes: Bytes): boolean =>
  bytes.length >= MARKER_LENGTH && bytes[0] === 0 && bytes[1] === 0 && bytes[2] === 0 && bytes[3] === 0;

export function marked(bytes: Bytes): Bytes {
  const whole = new Uint8Array(MARKER_LENGTH + bytes.length);
  whole.set(bytes, MARKER_LENGTH);
  return whole;
}
