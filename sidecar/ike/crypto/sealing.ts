/** What seals tickets, hand-offs and cookies: XChaCha20-Poly1305 with subkeys of a shared secret. */
import { utf8 } from '../wire/bytes.ts';
import type { Sealing } from './cryptography.ts';
import { authentic, expectSizes } from './encryption.ts';
import type { Provider } from './provider.ts';

const KEY = 32;
const NONCE = 24;

export const sealingOf = ({ ciphers, hashing }: Provider): Sealing => ({
  seal(key, nonce, plaintext, aad) {
    expectSizes({ keyLength: KEY, ivLength: NONCE }, key, nonce);
    return ciphers.xchacha20Poly1305.seal(key, nonce, plaintext, aad);
  },
  open(key, nonce, sealed, aad) {
    if (key.length !== KEY || nonce.length !== NONCE) return undefined;
    return authentic(() => ciphers.xchacha20Poly1305.open(key, nonce, sealed, aad));
  },
  subkey: (secret, purpose, audience) => hashing.hkdf('sha256', utf8(audience), secret, utf8(purpose), KEY),
  hmacSha256: (key, data) => hashing.hmac('sha256', key, data),
  sha1: (data) => hashing.sha1(data),
  sha256: (data) => hashing.sha256(data),
});
