/** Encryption algorithms by IANA number and key length: AES-GCM (RFC 5282, RFC 4106), ChaCha20-Poly1305 (RFC 7634), AES-CBC (RFC 3602). */
import { type Bytes, concat } from '../wire/bytes.ts';
import { Encr } from '../wire/registry.ts';
import type { Encryption } from './cryptography.ts';
import type { Aead, BlockCipher, Ciphers } from './provider.ts';

const SALT = 4;
const BLOCK = 16;

export const encryptions = (ciphers: Ciphers): readonly Encryption[] => [
  aead(Encr.AES_GCM_16, 128, 16, ciphers.aesGcm),
  aead(Encr.AES_GCM_16, 256, 32, ciphers.aesGcm),
  // RFC 7296 §3.3.5: a cipher with one key length carries no Key Length attribute, which `keyBits` 0 stands for.
  aead(Encr.CHACHA20_POLY1305, 0, 32, ciphers.chacha20Poly1305),
  cbc(128, ciphers.aesCbc),
  cbc(256, ciphers.aesCbc),
];

/** The nonce is the salt that ends the keying material, then the IV of the packet (RFC 5282 §4, RFC 7634 §2). */
function aead(id: number, keyBits: number, cipherKey: number, cipher: Aead): Encryption {
  const keyLength = cipherKey + SALT;
  const sizes = { keyLength, ivLength: 8 };
  return {
    id,
    keyBits,
    aead: true,
    blockLength: 1,
    icvLength: 16,
    ...sizes,
    seal(key, iv, plaintext, aad) {
      expectSizes(sizes, key, iv);
      return cipher.seal(key.subarray(0, cipherKey), concat(key.subarray(cipherKey), iv), plaintext, aad);
    },
    open(key, iv, sealed, aad) {
      if (key.length !== keyLength || iv.length !== sizes.ivLength) return undefined;
      return authentic(() => cipher.open(key.subarray(0, cipherKey), concat(key.subarray(cipherKey), iv), sealed, aad));
    },
  };
}

function cbc(keyBits: number, cipher: BlockCipher): Encryption {
  const sizes = { keyLength: keyBits / 8, ivLength: BLOCK };
  return {
    id: Encr.AES_CBC,
    keyBits,
    aead: false,
    blockLength: BLOCK,
    icvLength: 0,
    ...sizes,
    seal(key, iv, plaintext) {
      expectSizes(sizes, key, iv);
      if (plaintext.length % BLOCK !== 0) throw new RangeError(`${plaintext.length} bytes are no whole number of blocks`);
      return cipher.encrypt(key, iv, plaintext);
    },
    open(key, iv, sealed) {
      if (sealed.length % BLOCK !== 0 || key.length !== sizes.keyLength || iv.length !== sizes.ivLength) return undefined;
      return cipher.decrypt(key, iv, sealed);
    },
  };
}

/** A nonce of another length is a legal one for GCM, so a mistake of ours would go unseen. @throws RangeError */
export function expectSizes(sizes: { readonly keyLength: number; readonly ivLength: number }, key: Bytes, iv: Bytes): void {
  if (key.length !== sizes.keyLength) throw new RangeError(`a key of ${key.length} bytes instead of ${sizes.keyLength}`);
  if (iv.length !== sizes.ivLength) throw new RangeError(`an IV of ${iv.length} bytes instead of ${sizes.ivLength}`);
}

/** Libraries throw when a tag does not match. */
export function authentic(open: () => Bytes): Bytes | undefined {
  try {
    return open();
  } catch {
    return undefined;
  }
}
