/** Integrity algorithms by IANA number: HMAC with SHA-2, truncated to half (RFC 4868 §2.6), and with SHA-1, truncated to 96 bits (RFC 2404 §2). */
import { Integ } from '../wire/registry.ts';
import type { Integrity } from './cryptography.ts';
import type { Hash, Hashing } from './provider.ts';

export const integrities = (hashing: Hashing): readonly Integrity[] => [
  truncatedHmac(hashing, Integ.HMAC_SHA2_256_128, 'sha256', 32),
  truncatedHmac(hashing, Integ.HMAC_SHA2_384_192, 'sha384', 48),
  truncatedHmac(hashing, Integ.HMAC_SHA2_512_256, 'sha512', 64),
  truncatedHmac(hashing, Integ.HMAC_SHA1_96, 'sha1', 20, 12),
];

function truncatedHmac(hashing: Hashing, id: number, hash: Hash, keyLength: number, icvLength = keyLength / 2): Integrity {
  return { id, keyLength, icvLength, mac: (key, data) => hashing.hmac(hash, key, data).slice(0, icvLength) };
}
