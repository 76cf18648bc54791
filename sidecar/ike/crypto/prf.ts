/** Pseudorandom functions by IANA number, and prf+ (RFC 7296 §2.13, RFC 4868 §2.4). */
import { type Bytes, concat } from '../wire/bytes.ts';
import * as registry from '../wire/registry.ts';
import type { Prf } from './cryptography.ts';
import type { Hash, Hashing } from './provider.ts';

const HKDF_MAX_INFO = 1024;

export const prfs = (hashing: Hashing): readonly Prf[] => [
  hmacPrf(hashing, registry.Prf.HMAC_SHA2_256, 'sha256', 32),
  hmacPrf(hashing, registry.Prf.HMAC_SHA2_384, 'sha384', 48),
  hmacPrf(hashing, registry.Prf.HMAC_SHA2_512, 'sha512', 64),
  // RFC 8247 §2.2: for clients that have nothing better, and policies that name it.
  hmacPrf(hashing, registry.Prf.HMAC_SHA1, 'sha1', 20),
];

function hmacPrf(hashing: Hashing, id: number, hash: Hash, length: number): Prf {
  const mac = (key: Bytes, data: Bytes): Bytes => hashing.hmac(hash, key, data);
  const expand = (key: Bytes, seed: Bytes, wanted: number): Bytes => prfPlus(mac, length, key, seed, wanted);
  return {
    id,
    length,
    mac,
    expand,
    derive: (salt, secret, info, wanted) =>
      info.length <= HKDF_MAX_INFO ? hashing.hkdf(hash, salt, secret, info, wanted) : expand(mac(salt, secret), info, wanted),
  };
}

/** T1 = prf (K, S | 0x01), Tn = prf (K, Tn-1 | S | n); it is HKDF-Expand, but of keys of any length. */
function prfPlus(mac: (key: Bytes, data: Bytes) => Bytes, block: number, key: Bytes, seed: Bytes, wanted: number): Bytes {
  // RFC 7296 §2.13: prf+ ends at 255 times the output of the prf.
  if (wanted > 255 * block) throw new RangeError(`prf+ cannot give ${wanted} bytes`);
  const out = new Uint8Array(Math.ceil(wanted / block) * block);
  for (let n = 1; (n - 1) * block < wanted; n++) {
    const previous = out.subarray(Math.max(0, n - 2) * block, (n - 1) * block);
    out.set(mac(key, concat(previous, seed, Uint8Array.of(n))), (n - 1) * block);
  }
  return out.slice(0, wanted);
}
