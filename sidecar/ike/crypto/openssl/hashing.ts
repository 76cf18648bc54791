/** Hashes, HMAC and HKDF of node:crypto, each in its fastest form. */
import { createHmac, hash, hkdfSync } from 'node:crypto';
import type { Hashing } from '../provider.ts';
import { plain } from './bytes.ts';

export const hashing: Hashing = {
  sha1: (data) => plain(hash('sha1', data, 'buffer')),
  sha256: (data) => plain(hash('sha256', data, 'buffer')),
  hmac: (name, key, data) => plain(createHmac(name, key).update(data).digest()),
  hkdf: (name, salt, secret, info, length) => new Uint8Array(hkdfSync(name, secret, salt, info, length)),
};
