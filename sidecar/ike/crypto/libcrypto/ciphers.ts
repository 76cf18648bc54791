/** Ciphers with kept contexts: AEADs (RFC 5116), AES-CBC, and the ChaCha20 stream that XChaCha20-Poly1305 is made of. */
import type { Bytes } from '../../wire/bytes.ts';
import { xchacha20 } from '../openssl/xchacha20.ts';
import type { Aead, BlockCipher, Ciphers } from '../provider.ts';
import { type Call, done, type Library, type Pointer, there } from './library.ts';

const TAG = 16;
const ENCRYPT = 1;
const DECRYPT = 0;
/** Of EVP_CIPHER_CTX_ctrl. */
const GET_TAG = 0x10;
const SET_TAG = 0x11;

export function ciphers(library: Library): Ciphers {
  const calls = callsOf(library);
  const cipher = (name: string): Cipher => new Cipher(calls, name);
  const chacha20Poly1305 = aead(cipher('ChaCha20-Poly1305'));
  const [aes128Gcm, aes256Gcm] = [aead(cipher('AES-128-GCM')), aead(cipher('AES-256-GCM'))];
  const [aes128Cbc, aes256Cbc] = [cbc(cipher('AES-128-CBC')), cbc(cipher('AES-256-CBC'))];
  const chacha20 = cipher('ChaCha20');
  const bySize =
    <T>(short: T, long: T): ((key: Bytes) => T) =>
    (key) =>
      key.length === 16 ? short : long;
  const [gcm, blocks] = [bySize(aes128Gcm, aes256Gcm), bySize(aes128Cbc, aes256Cbc)];
  return {
    aesGcm: {
      seal: (key, ...rest) => gcm(key).seal(key, ...rest),
      open: (key, ...rest) => gcm(key).open(key, ...rest),
    },
    chacha20Poly1305,
    xchacha20Poly1305: xchacha20(chacha20Poly1305, (key, iv, data) => chacha20.run(ENCRYPT, key, iv, data)),
    aesCbc: {
      encrypt: (key, ...rest) => blocks(key).encrypt(key, ...rest),
      decrypt: (key, ...rest) => blocks(key).decrypt(key, ...rest),
    },
  };
}

interface Calls {
  readonly find: Call<Pointer | null>;
  readonly newContext: Call<Pointer | null>;
  readonly init: Call<number>;
  readonly update: Call<number>;
  readonly final: Call<number>;
  readonly control: Call<number>;
  readonly setPadding: Call<number>;
}

const callsOf = (library: Library): Calls => ({
  find: library.func('void *', 'EVP_CIPHER_fetch', ['void *', 'str', 'str']),
  newContext: library.func('void *', 'EVP_CIPHER_CTX_new', []),
  init: library.func('int', 'EVP_CipherInit_ex2', ['void *', 'void *', 'void *', 'void *', 'int', 'void *']),
  update: library.func('int', 'EVP_CipherUpdate', ['void *', 'void *', 'void *', 'void *', 'int']),
  final: library.func('int', 'EVP_CipherFinal_ex', ['void *', 'void *', 'void *']),
  control: library.func('int', 'EVP_CIPHER_CTX_ctrl', ['void *', 'int', 'int', 'void *']),
  setPadding: library.func('int', 'EVP_CIPHER_CTX_set_padding', ['void *', 'int']),
});

/** OpenSSL writes the length of the output there. */
const written = new Int32Array(1);
/** Nothing is left for it to write into: all of these work in whole bytes or whole blocks. */
const rest = new Uint8Array(32);

class Cipher {
  readonly #calls: Calls;
  readonly #context: Pointer;

  constructor(calls: Calls, name: string) {
    this.#calls = calls;
    this.#context = there('cipher context', calls.newContext());
    const cipher = there(name, calls.find(null, name, null));
    done(calls.init(this.#context, cipher, null, null, ENCRYPT, null), name);
    done(calls.setPadding(this.#context, 0), name);
  }

  run(direction: number, key: Bytes, iv: Bytes, data: Bytes): Bytes {
    const out = new Uint8Array(data.length);
    this.begin(direction, key, iv);
    this.transform(data, out);
    return out;
  }

  begin(direction: number, key: Bytes, iv: Bytes): void {
    done(this.#calls.init(this.#context, null, key, iv, direction, null), 'key');
  }

  authenticate(aad: Bytes): void {
    if (aad.length > 0) done(this.#calls.update(this.#context, null, written, aad, aad.length), 'additional data');
  }

  transform(data: Bytes, out: Bytes): void {
    if (data.length > 0) done(this.#calls.update(this.#context, out, written, data, data.length), 'cipher');
  }

  /** @throws Error when a tag that was set does not match. */
  finish(): void {
    done(this.#calls.final(this.#context, rest, written), 'authentication');
  }

  tag(control: number, tag: Bytes): void {
    done(this.#calls.control(this.#context, control, tag.length, tag), 'tag');
  }
}

const aead = (cipher: Cipher): Aead => ({
  seal(key, nonce, plaintext, aad) {
    const out = new Uint8Array(plaintext.length + TAG);
    cipher.begin(ENCRYPT, key, nonce);
    cipher.authenticate(aad);
    cipher.transform(plaintext, out);
    cipher.finish();
    cipher.tag(GET_TAG, out.subarray(plaintext.length));
    return out;
  },
  open(key, nonce, sealed, aad) {
    const length = sealed.length - TAG;
    if (length < 0) throw new RangeError('shorter than its tag');
    const out = new Uint8Array(length);
    cipher.begin(DECRYPT, key, nonce);
    cipher.tag(SET_TAG, sealed.subarray(length));
    cipher.authenticate(aad);
    cipher.transform(sealed.subarray(0, length), out);
    cipher.finish();
    return out;
  },
});

const cbc = (cipher: Cipher): BlockCipher => ({
  encrypt: (key, iv, plaintext) => cipher.run(ENCRYPT, key, iv, plaintext),
  decrypt: (key, iv, ciphertext) => cipher.run(DECRYPT, key, iv, ciphertext),
});
