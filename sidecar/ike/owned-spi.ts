/**
 * SPIs that name the pod that chose them, so that a sibling that receives a message for one knows whom to ask (hand-off).
 *
 *     IKE  ordinal(2) | random(4) | MAC(2)      ESP  ordinal(1) | random(3)
 *
 * The MAC makes a flood of random SPIs cost a drop and no question: only siblings have its key, a subkey of the ring.
 */
import type { KeyRing } from '../contract/key-ring.ts';
import type { Cryptography } from './crypto/cryptography.ts';
import { subkeys } from './ring-subkeys.ts';
import { type Bytes, concat, equalBytes, hex, Reader, unhex, Writer } from './wire/bytes.ts';

export interface SpiKeys {
  readonly ring: KeyRing;
  readonly crypto: Cryptography;
  readonly audience: string;
}

type Random = (length: number) => Bytes;

const NAMED_LENGTH = 6;
const MAC_LENGTH = 2;

/** 8 bytes in hex. `keys` undefined, or no ordinal (a client): random bytes that are not all zero. */
export function newOwnedSpi(ordinal: number | undefined, random: Random, keys: SpiKeys | undefined): string {
  if (ordinal === undefined || keys === undefined) return nonZero(() => random(8));
  const key = subkeys(keys.ring, keys.audience, keys.crypto).active.subkey('spi');
  return nonZero(() => {
    const named = new Writer(NAMED_LENGTH).u16(ordinal).bytes(random(4)).finish();
    return concat(named, mac(key, named, keys.crypto));
  });
}

/** The ordinal of the pod that made this SPI; undefined when no member of this gateway did. Every key of the ring may have made the MAC. */
export function ownerOf(spi: string, keys: SpiKeys): number | undefined {
  const bytes = unhex(spi);
  const named = bytes.subarray(0, NAMED_LENGTH);
  const given = bytes.subarray(NAMED_LENGTH);
  const { all } = subkeys(keys.ring, keys.audience, keys.crypto);
  if (!all.some((key) => equalBytes(mac(key.subkey('spi'), named, keys.crypto), given))) return undefined;
  return new Reader(named).u16();
}

/** RFC 4303 §2.1: 0 to 255 are reserved. */
export function newOwnedEspSpi(ordinal: number | undefined, random: Random): number {
  for (;;) {
    const drawn = new Reader(random(4)).u32();
    const spi = ordinal === undefined ? drawn : (ordinal % 256) * 0x100_0000 + (drawn % 0x100_0000);
    if (spi > 255) return spi;
  }
}

const mac = (key: Bytes, named: Bytes, crypto: Cryptography): Bytes =>
  crypto.sealing.hmacSha256(key, named).subarray(0, MAC_LENGTH);

/** RFC 7296 §2.6: an SPI of zero means that there is none yet. */
function nonZero(draw: () => Bytes): string {
  for (;;) {
    const spi = draw();
    if (spi.some((byte) => byte !== 0)) return hex(spi);
  }
}
