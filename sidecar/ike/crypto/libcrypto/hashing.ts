/** Hashes and HMAC (RFC 2104) with one kept context for each. */
import type { Bytes } from '../../wire/bytes.ts';
import { hashing as nodeHashing } from '../openssl/hashing.ts';
import type { Hash, Hashing } from '../provider.ts';
import { type Call, done, type Library, type Pointer, textParameter, there } from './library.ts';

/** Of `key` and `data`. */
type Hmac = (key: Bytes, data: Bytes) => Bytes;

/** HKDF stays with node:crypto, where it is one call; out of HMACs it takes twice as long. */
export function hashing(library: Library): Hashing {
  const hmacs = hmacsOf(library);
  const digest = digestsOf(library);
  return {
    ...nodeHashing,
    sha1: digest('SHA1', 20),
    sha256: digest('SHA256', 32),
    hmac: (hash, key, data) => hmacs[hash](key, data),
  };
}

function digestsOf(library: Library): (name: string, length: number) => (data: Bytes) => Bytes {
  const find = library.func('void *', 'EVP_MD_fetch', ['void *', 'str', 'str']);
  const newContext = library.func('void *', 'EVP_MD_CTX_new', []);
  const init = library.func('int', 'EVP_DigestInit_ex2', ['void *', 'void *', 'void *']);
  const update = library.func('int', 'EVP_DigestUpdate', ['void *', 'void *', 'size_t']);
  const final = library.func('int', 'EVP_DigestFinal_ex', ['void *', 'void *', 'void *']);
  return (name, length) => {
    const [algorithm, context] = [there(name, find(null, name, null)), there('digest context', newContext())];
    return (data) => {
      const out = new Uint8Array(length);
      done(init(context, algorithm, null), name);
      done(update(context, data, data.length), name);
      done(final(context, out, null), name);
      return out;
    };
  };
}

function hmacsOf(library: Library): Readonly<Record<Hash, Hmac>> {
  const mac = there('HMAC', library.func('void *', 'EVP_MAC_fetch', ['void *', 'str', 'str'])(null, 'HMAC', null));
  const calls = {
    init: library.func('int', 'EVP_MAC_init', ['void *', 'void *', 'size_t', 'void *']),
    update: library.func('int', 'EVP_MAC_update', ['void *', 'void *', 'size_t']),
    final: library.func('int', 'EVP_MAC_final', ['void *', 'void *', 'void *', 'size_t']),
  };
  const newContext = library.func('void *', 'EVP_MAC_CTX_new', ['void *']);
  const setParameters = library.func('int', 'EVP_MAC_CTX_set_params', ['void *', 'OSSL_PARAM *']);
  const hmac = (digest: string, length: number): Hmac => {
    const context = there('MAC context', newContext(mac));
    done(setParameters(context, textParameter('digest', digest)), digest);
    return (key, data) => compute(calls, context, key, data, length);
  };
  return { sha1: hmac('SHA1', 20), sha256: hmac('SHA256', 32), sha384: hmac('SHA384', 48), sha512: hmac('SHA512', 64) };
}

type Calls = Readonly<Record<'init' | 'update' | 'final', Call<number>>>;

/** OpenSSL writes the length of the output there. */
const written = new BigUint64Array(1);
const ZERO = new Uint8Array(1);

function compute({ init, update, final }: Calls, context: Pointer, key: Bytes, data: Bytes, length: number): Bytes {
  // No bytes are a null pointer to C, which means the key before; and HMAC pads keys with zeros (RFC 2104 §2).
  const some = key.length === 0 ? ZERO : key;
  const out = new Uint8Array(length);
  done(init(context, some, some.length, null), 'HMAC');
  done(update(context, data, data.length), 'HMAC');
  done(final(context, out, written, length), 'HMAC');
  return out;
}
