/** The fast provider: OpenSSL called directly where that pays, node:crypto for the rest. */
import { openssl } from '../openssl/openssl.ts';
import type { Provider } from '../provider.ts';
import { ciphers } from './ciphers.ts';
import { hashing } from './hashing.ts';
import { loadLibrary } from './library.ts';
import { x25519 } from './x25519.ts';

/** Undefined where it cannot be had. */
export const libcrypto: Provider | undefined = await load();

async function load(): Promise<Provider | undefined> {
  try {
    const library = await loadLibrary();
    return {
      ...openssl,
      name: 'libcrypto',
      hashing: hashing(library),
      ciphers: ciphers(library),
      groups: { ...openssl.groups, x25519: x25519(library) },
    };
  } catch {
    return undefined;
  }
}
