/** Hashes, HMAC and HKDF of @noble/hashes. */
import { hkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha1 } from '@noble/hashes/legacy.js';
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js';
import type { Hashing } from '../provider.ts';

const hashes = { sha1, sha256, sha384, sha512 };

export const hashing: Hashing = {
  sha1: (data) => sha1(data),
  sha256: (data) => sha256(data),
  hmac: (hash, key, data) => hmac(hashes[hash], key, data),
  hkdf: (hash, salt, secret, info, length) => hkdf(hashes[hash], secret, salt, info, length),
};
