/** Signatures (RFC 7427 §3, RFC 8420, RFC 4754): for AUTH payloads, certificates, revocation lists and OCSP responses. */
import type { Bytes } from '../wire/bytes.ts';

/** By its IANA number in SIGNATURE_HASH_ALGORITHMS (RFC 7427 §7, RFC 8420 §2); identity stands for EdDSA, which takes the message whole. */
export const Hash = { SHA1: 1, SHA2_256: 2, SHA2_384: 3, SHA2_512: 4, IDENTITY: 5 } as const;
export type Hash = (typeof Hash)[keyof typeof Hash];

/** How something is signed: RSA of PKCS #1 v1.5, RSASSA-PSS (salt as long as the hash), ECDSA, EdDSA. */
export interface SignatureScheme {
  readonly kind: 'rsa' | 'rsa-pss' | 'ecdsa' | 'ed25519' | 'ed448';
  readonly hash: Hash;
}

export type KeyKind = 'rsa' | 'ec-p256' | 'ec-p384' | 'ec-p521' | 'ed25519' | 'ed448';

export interface PublicKey {
  readonly kind: KeyKind;
  /** Of the modulus, or of the curve. */
  readonly bits: number;
  /** ECDSA as DER `SEQUENCE { r, s }`; false for anything that is not a good signature, never throws. */
  verify(scheme: SignatureScheme, data: Bytes, signature: Bytes): boolean;
}

/** Prints as `[secret]`. */
export interface PrivateKey {
  readonly kind: KeyKind;
  /** ECDSA as DER. Some libraries draw a nonce or a salt of their own, so the same twice may differ. @throws RangeError for a scheme that is not the key's. */
  sign(scheme: SignatureScheme, data: Bytes): Bytes;
  /** Of the other half, DER SubjectPublicKeyInfo: whether a certificate belongs to this key. */
  publicKey(): Bytes;
}

export interface Signatures {
  /** DER SubjectPublicKeyInfo; undefined for keys that are malformed, too weak (RSA below 2048 bits) or of a kind that we do not have. */
  publicKey(spki: Bytes): PublicKey | undefined;
  /** DER PKCS #8; undefined likewise. */
  privateKey(pkcs8: Bytes): PrivateKey | undefined;
}
