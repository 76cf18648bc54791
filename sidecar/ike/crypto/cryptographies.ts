/** The tables of algorithms, by provider, and which provider is the default for what. */
import type { Cryptography, Encryption } from './cryptography.ts';
import { encryptions } from './encryption.ts';
import { integrities } from './integrity.ts';
import { keyExchanges } from './key-exchange.ts';
import { noble } from './noble/noble.ts';
import { openssl } from './openssl/openssl.ts';
import { prfs } from './prf.ts';
import type { Provider } from './provider.ts';
import { sealingOf } from './sealing.ts';
import { signaturesOf } from './signatures.ts';

type Family = 'prf' | 'encryption' | 'integrity' | 'keyExchange' | 'sealing' | 'signing';
type Choice = Readonly<Record<Family, Provider>>;

/**
 * `auto` is the faster one, and noble where they are equal, which they are nowhere today. How many times as long noble takes
 * (Node 26.10 with OpenSSL 3.5.8, @noble 2.4.0, one run on an AMD EPYC with sha_ni and vaes):
 */
const auto: Choice = {
  prf: openssl, // HMAC-SHA256 of 64 bytes 2.2, HMAC-SHA384 and 512 4.1; SKEYSEED and SK_* in one HKDF 5 to 6
  integrity: openssl, // HMAC-SHA256 of 1400 bytes 4.4, HMAC-SHA512 6.5
  encryption: openssl, // 300 bytes: AES-GCM 6 to 8, ChaCha20-Poly1305 3.4, AES-CBC 2.6
  keyExchange: openssl, // key pair and agreement: X25519 10, ECP 256 20, 384 and 521 4; MODP 6
  sealing: openssl, // XChaCha20-Poly1305 of 300 bytes 1.7
  signing: openssl, // key, sign and verify: ECDSA P-256 20 to 45, 384 and 521 2 to 14; Ed25519 and Ed448 10 to 20; RSA is OpenSSL's in both
};

const everywhere = (provider: Provider): Choice => ({
  prf: provider,
  integrity: provider,
  encryption: provider,
  keyExchange: provider,
  sealing: provider,
  signing: provider,
});

const choices: Readonly<Record<Cryptography['name'], Choice>> = {
  auto,
  noble: everywhere(noble),
  openssl: everywhere(openssl),
};

/** All algorithms, from the faster provider of each or from the one that is named. */
export function cryptography(name: Cryptography['name']): Cryptography {
  const choice = choices[name];
  const prf = byId(prfs(choice.prf.hashing));
  const integrity = byId(integrities(choice.integrity.hashing));
  const keyExchange = byId(keyExchanges(choice.keyExchange.groups));
  const encryption = new Map(encryptions(choice.encryption.ciphers).map((algorithm) => [sizedId(algorithm), algorithm]));
  return {
    name,
    prf: (id) => prf.get(id),
    integrity: (id) => integrity.get(id),
    keyExchange: (id) => keyExchange.get(id),
    encryption: (id, keyBits) => encryption.get(sizedId({ id, keyBits })),
    sealing: sealingOf(choice.sealing),
    signatures: signaturesOf(choice.signing.signing),
  };
}

const byId = <T extends { readonly id: number }>(algorithms: readonly T[]): ReadonlyMap<number, T> =>
  new Map(algorithms.map((algorithm) => [algorithm.id, algorithm]));

/** Both are 16-bit numbers on the wire. */
const sizedId = ({ id, keyBits }: Pick<Encryption, 'id' | 'keyBits'>): number => id * 0x1_0000 + keyBits;
