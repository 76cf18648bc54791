/** What a library must offer; prf.ts, encryption.ts, integrity.ts, key-exchange.ts, sealing.ts and signatures.ts make the algorithms of the protocol of it, the same way for both. */
import type { Bytes } from '../wire/bytes.ts';
import type { KeyForm } from './key-form.ts';
import type { SignatureScheme } from './signature.ts';

export type Hash = 'sha1' | 'sha256' | 'sha384' | 'sha512';

export interface Hashing {
  sha1(data: Bytes): Bytes;
  sha256(data: Bytes): Bytes;
  hmac(hash: Hash, key: Bytes, data: Bytes): Bytes;
  /** RFC 5869, extract and expand. `info` is at most 1024 bytes long. */
  hkdf(hash: Hash, salt: Bytes, secret: Bytes, info: Bytes, length: number): Bytes;
}

export interface Aead {
  /** Ciphertext, then 16 bytes of tag. */
  seal(key: Bytes, nonce: Bytes, plaintext: Bytes, aad: Bytes): Bytes;
  /** @throws anything when it is not authentic. */
  open(key: Bytes, nonce: Bytes, sealed: Bytes, aad: Bytes): Bytes;
}

/** Whole blocks, no padding. */
export interface BlockCipher {
  encrypt(key: Bytes, iv: Bytes, plaintext: Bytes): Bytes;
  decrypt(key: Bytes, iv: Bytes, ciphertext: Bytes): Bytes;
}

export interface Ciphers {
  /** Key of 16 or 32 bytes, nonce of 12. */
  readonly aesGcm: Aead;
  /** Key of 32 bytes, nonce of 12. */
  readonly chacha20Poly1305: Aead;
  /** Key of 32 bytes, nonce of 24. */
  readonly xchacha20Poly1305: Aead;
  /** Key of 16 or 32 bytes, iv of 16. */
  readonly aesCbc: BlockCipher;
}

/** A Diffie-Hellman group; values have the fixed length and form that IKEv2 sends. */
export interface Group {
  publicValue(secret: Bytes): Bytes;
  /**
   * `own` repeats what `publicValue` answered for `secret`: some libraries want a whole key pair.
   * @throws anything for a peer value that is no element of the group.
   */
  agree(secret: Bytes, own: Bytes, peerValue: Bytes): Bytes;
}

/** A key encapsulation mechanism: only the side that answers may encapsulate, so its two sides do different things. */
export interface Kem {
  publicValue(seed: Bytes): Bytes;
  /** Draws its own randomness. @throws anything for a public value that is none. */
  encapsulate(publicValue: Bytes): { readonly ciphertext: Bytes; readonly shared: Bytes };
  /** A wrong ciphertext of the right length gives another secret, not an error (FIPS 203 §6.3). */
  decapsulate(seed: Bytes, ciphertext: Bytes): Bytes;
}

export type Curve = 'P-256' | 'P-384' | 'P-521';
export type Modp = 'modp2' | 'modp14' | 'modp15' | 'modp16';
export type MlKem = 'ML-KEM-512' | 'ML-KEM-768' | 'ML-KEM-1024';

export interface Groups {
  /** An all-zero result is an error as well. */
  readonly x25519: Group;
  /** Public values are x | y; the shared secret is x (RFC 5903 §7). */
  readonly ecp: Readonly<Record<Curve, Group>>;
  /** The caller has checked the range of the peer value. */
  readonly modp: Readonly<Record<Modp, Group>>;
  /** Seeds of 64 bytes. */
  readonly mlKem: Readonly<Record<MlKem, Kem>>;
}

export interface Verifier {
  readonly bits: number;
  /** The scheme suits the key. False, or @throws anything, for a signature that is not good. */
  verify(scheme: SignatureScheme, data: Bytes, signature: Bytes): boolean;
}

export interface Signer {
  readonly bits: number;
  sign(scheme: SignatureScheme, data: Bytes): Bytes;
  /** SubjectPublicKeyInfo. */
  publicKey(): Bytes;
}

/** Both @throws anything for a key that is malformed, off the curve, or costly beyond reason. */
export interface Signing {
  verifier(form: KeyForm, spki: Bytes): Verifier;
  signer(form: KeyForm, pkcs8: Bytes): Signer;
}

export interface Provider {
  readonly name: 'noble' | 'openssl' | 'libcrypto';
  readonly hashing: Hashing;
  readonly ciphers: Ciphers;
  readonly groups: Groups;
  readonly signing: Signing;
}
