/** X25519 (RFC 7748) from raw keys: node:crypto parses them anew for every use. */
import type { Bytes } from '../../wire/bytes.ts';
import type { Group } from '../provider.ts';
import { done, type Library, type Pointer, there } from './library.ts';

const EVP_PKEY_X25519 = 1034;
const LENGTH = 32;

export function x25519(library: Library): Group {
  const newPrivate = library.func('void *', 'EVP_PKEY_new_raw_private_key', ['int', 'void *', 'void *', 'size_t']);
  const newPublic = library.func('void *', 'EVP_PKEY_new_raw_public_key', ['int', 'void *', 'void *', 'size_t']);
  const getPublic = library.func('int', 'EVP_PKEY_get_raw_public_key', ['void *', 'void *', 'void *']);
  const freeKey = library.func('void', 'EVP_PKEY_free', ['void *']);
  const newContext = library.func('void *', 'EVP_PKEY_CTX_new', ['void *', 'void *']);
  const freeContext = library.func('void', 'EVP_PKEY_CTX_free', ['void *']);
  const deriveInit = library.func('int', 'EVP_PKEY_derive_init', ['void *']);
  const setPeer = library.func('int', 'EVP_PKEY_derive_set_peer', ['void *', 'void *']);
  const derive = library.func('int', 'EVP_PKEY_derive', ['void *', 'void *', 'void *']);

  const withKey = <T>(key: Pointer | null, use: (key: Pointer) => T): T => {
    const held = there('X25519 key', key);
    try {
      return use(held);
    } finally {
      freeKey(held);
    }
  };
  const shared = (own: Pointer, peer: Pointer): Bytes => {
    const context = there('key context', newContext(own, null));
    try {
      const out = new Uint8Array(LENGTH);
      done(deriveInit(context), 'X25519');
      done(setPeer(context, peer), 'peer value');
      // RFC 7748 §6.1: OpenSSL refuses an all-zero result.
      done(derive(context, out, BigUint64Array.of(BigInt(LENGTH))), 'agreement');
      return out;
    } finally {
      freeContext(context);
    }
  };
  return {
    publicValue: (secret) =>
      withKey(newPrivate(EVP_PKEY_X25519, null, secret, LENGTH), (key) => {
        const out = new Uint8Array(LENGTH);
        done(getPublic(key, out, BigUint64Array.of(BigInt(LENGTH))), 'public value');
        return out;
      }),
    agree: (secret, _own, peerValue) =>
      withKey(newPrivate(EVP_PKEY_X25519, null, secret, LENGTH), (own) =>
        withKey(newPublic(EVP_PKEY_X25519, null, peerValue, LENGTH), (peer) => shared(own, peer)),
      ),
  };
}
