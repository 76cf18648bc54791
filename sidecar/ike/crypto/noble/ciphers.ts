/** Ciphers of @noble/ciphers. */
import { cbc, gcm } from '@noble/ciphers/aes.js';
import { chacha20poly1305, xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import type { Cipher } from '@noble/ciphers/utils.js';
import type { Bytes } from '../../wire/bytes.ts';
import type { Aead, Ciphers } from '../provider.ts';

export const ciphers: Ciphers = {
  aesGcm: aead(gcm),
  chacha20Poly1305: aead(chacha20poly1305),
  xchacha20Poly1305: aead(xchacha20poly1305),
  aesCbc: {
    encrypt: (key, iv, plaintext) => cbc(key, iv, { disablePadding: true }).encrypt(plaintext),
    decrypt: (key, iv, ciphertext) => cbc(key, iv, { disablePadding: true }).decrypt(ciphertext),
  },
};

function aead(cipher: (key: Bytes, nonce: Bytes, aad: Bytes) => Cipher): Aead {
  return {
    seal: (key, nonce, plaintext, aad) => cipher(key, nonce, aad).encrypt(plaintext),
    open: (key, nonce, sealed, aad) => cipher(key, nonce, aad).decrypt(sealed),
  };
}
