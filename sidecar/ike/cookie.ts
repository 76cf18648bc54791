/**
 * Stateless cookies (RFC 7296 §2.6), good at every pod of a gateway: their secret is a subkey of the ring, which all pods have.
 *
 *     key id(8) | epoch mod 256 (1) | MAC(16) over epoch, SPIi, the peer's address and Ni
 */
import type { KeyRing } from '../contract/key-ring.ts';
import type { Cryptography } from './crypto/cryptography.ts';
import { type KeySubkeys, subkeys } from './ring-subkeys.ts';
import type { Instant } from './sa.ts';
import { type Bytes, concat, equalBytes, unhex, Writer } from './wire/bytes.ts';

export interface CookieKeys {
  readonly ring: KeyRing;
  readonly crypto: Cryptography;
  readonly audience: string;
  readonly now: Instant;
}

/** What a cookie vouches for. */
export interface CookieClaim {
  readonly ni: Bytes;
  /** 4 or 16 bytes; without the port, which a NAT may change. */
  readonly address: Bytes;
  readonly spiI: string;
}

/** A cookie is good in its own epoch and the next; the clocks of two pods may differ by one. */
const EPOCH_MS = 60_000;
const KEY_ID_LENGTH = 8;
const MAC_LENGTH = 16;

export function cookie(keys: CookieKeys, claim: CookieClaim): Bytes {
  const { active } = subkeys(keys.ring, keys.audience, keys.crypto);
  const epoch = epochAt(keys.now);
  return concat(active.key.id, Uint8Array.of(epoch % 256), mac(active, epoch, claim, keys.crypto));
}

/** RFC 7296 §2.6: the request must bring back the cookie "unchanged", from where and with what it was asked for. */
export function cookieValid(keys: CookieKeys, claim: CookieClaim, given: Bytes): boolean {
  const key = subkeys(keys.ring, keys.audience, keys.crypto).byId(given.subarray(0, KEY_ID_LENGTH));
  const current = epochAt(keys.now);
  const epoch = [current, current - 1, current + 1].find((one) => one % 256 === given[KEY_ID_LENGTH]);
  if (key === undefined || epoch === undefined) return false;
  return equalBytes(mac(key, epoch, claim, keys.crypto), given.subarray(KEY_ID_LENGTH + 1));
}

const epochAt = (now: Instant): number => Math.max(0, Math.floor(now / EPOCH_MS));

function mac(key: KeySubkeys, epoch: number, { ni, address, spiI }: CookieClaim, crypto: Cryptography): Bytes {
  const input = new Writer(64).u32(epoch).bytes(unhex(spiI)).u8(address.length).bytes(address).bytes(ni).finish();
  return crypto.sealing.hmacSha256(key.subkey('cookie'), input).subarray(0, MAC_LENGTH);
}
