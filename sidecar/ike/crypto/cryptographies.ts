/** The tables of algorithms, by provider, and which provider is the default for what. */
import type { Cryptography, Encryption } from './cryptography.ts';
import { encryptions } from './encryption.ts';
import { integrities } from './integrity.ts';
import { keyExchanges } from './key-exchange.ts';
import { libcrypto } from './libcrypto/libcrypto.ts';
import { noble } from './noble/noble.ts';
import { openssl } from './openssl/openssl.ts';
import { prfs } from './prf.ts';
import type { Provider } from './provider.ts';
import { sealingOf } from './sealing.ts';
import { selfTest } from './self-test.ts';
import { signaturesOf } from './signatures.ts';

/**
 * `auto` is the fastest one, and noble where it is not slower, which is nowhere today. How many times as long noble takes as node:crypto
 * (Node 26.10 with OpenSSL 3.5.8, @noble 2.4.0, one run on an AMD EPYC with sha_ni and vaes): HMAC-SHA256 of 64 bytes 2.2, HMAC-SHA384 and
 * 512 4.1, SKEYSEED and SK_* in one HKDF 5 to 6; 300 bytes with AES-GCM 6 to 8, ChaCha20-Poly1305 3.4, AES-CBC 2.6, XChaCha20-Poly1305 1.7;
 * key pair and agreement with X25519 10, ECP 256 20, 384 and 521 4, MODP 6; signatures with ECDSA P-256 20 to 45, 384 and 521 2 to 14, EdDSA
 * 10 to 20. And node:crypto as the same OpenSSL called directly: HMAC 2.3, AES-GCM 2.6, XChaCha20-Poly1305 1.5, X25519 1.2 to 1.3.
 */
export function fastest(): Provider {
  if (!libcrypto) return openssl;
  try {
    selfTest(assembled('auto', libcrypto));
    return libcrypto;
  } catch {
    // A build that lays things out differently than its declarations say.
    return openssl;
  }
}

/** Looked for once: the self-test takes its time. */
let found: Provider | undefined;

const providers: Readonly<Record<Cryptography['name'], () => Provider>> = {
  auto: () => (found ??= fastest()),
  noble: () => noble,
  openssl: () => openssl,
};

/** All algorithms, from the fastest provider that works here or from the one that is named. */
export const cryptography = (name: Cryptography['name']): Cryptography => assembled(name, providers[name]());

function assembled(name: Cryptography['name'], provider: Provider): Cryptography {
  const prf = byId(prfs(provider.hashing));
  const integrity = byId(integrities(provider.hashing));
  const keyExchange = byId(keyExchanges(provider.groups));
  const encryption = new Map(encryptions(provider.ciphers).map((algorithm) => [sizedId(algorithm), algorithm]));
  return {
    name,
    provider: provider.name,
    prf: (id) => prf.get(id),
    integrity: (id) => integrity.get(id),
    keyExchange: (id) => keyExchange.get(id),
    encryption: (id, keyBits) => encryption.get(sizedId({ id, keyBits })),
    sealing: sealingOf(provider),
    signatures: signaturesOf(provider.signing),
  };
}

const byId = <T extends { readonly id: number }>(algorithms: readonly T[]): ReadonlyMap<number, T> =>
  new Map(algorithms.map((algorithm) => [algorithm.id, algorithm]));

/** Both are 16-bit numbers on the wire. */
const sizedId = ({ id, keyBits }: Pick<Encryption, 'id' | 'keyBits'>): number => id * 0x1_0000 + keyBits;
