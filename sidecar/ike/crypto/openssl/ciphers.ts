/** Ciphers of node:crypto. */
import { type CipherChaCha20Poly1305Types, type CipherGCMTypes, createCipheriv, createDecipheriv } from 'node:crypto';
import type { Bytes } from '../../wire/bytes.ts';
import type { Aead, Ciphers } from '../provider.ts';
import { plain } from './bytes.ts';
import { xchacha20 } from './xchacha20.ts';

const TAG = { authTagLength: 16 };

const chacha20Poly1305 = aead(() => 'chacha20-poly1305');

export const ciphers: Ciphers = {
  aesGcm: aead((key) => (key.length === 16 ? 'aes-128-gcm' : 'aes-256-gcm')),
  chacha20Poly1305,
  xchacha20Poly1305: xchacha20(chacha20Poly1305),
  aesCbc: {
    encrypt: (key, iv, plaintext) => plain(createCipheriv(cbcName(key), key, iv).setAutoPadding(false).update(plaintext)),
    decrypt: (key, iv, ciphertext) => plain(createDecipheriv(cbcName(key), key, iv).setAutoPadding(false).update(ciphertext)),
  },
};

const cbcName = (key: Bytes): string => (key.length === 16 ? 'aes-128-cbc' : 'aes-256-cbc');

function aead(nameFor: (key: Bytes) => CipherGCMTypes | CipherChaCha20Poly1305Types): Aead {
  return {
    seal(key, nonce, plaintext, aad) {
      // One overload each in the type declarations, one function beneath.
      const cipher = createCipheriv(nameFor(key) as CipherGCMTypes, key, nonce, TAG);
      cipher.setAAD(aad);
      const out = new Uint8Array(plaintext.length + TAG.authTagLength);
      out.set(cipher.update(plaintext));
      cipher.final();
      out.set(cipher.getAuthTag(), plaintext.length);
      return out;
    },
    open(key, nonce, sealed, aad) {
      const length = sealed.length - TAG.authTagLength;
      if (length < 0) throw new RangeError('shorter than its tag');
      const decipher = createDecipheriv(nameFor(key) as CipherGCMTypes, key, nonce, TAG);
      decipher.setAAD(aad);
      decipher.setAuthTag(sealed.subarray(length));
      const plaintext = decipher.update(sealed.subarray(0, length));
      decipher.final();
      return plain(plaintext);
    },
  };
}
