/** What the protocol asks of cryptography, by IANA transform number; two providers stand behind it (noble, OpenSSL). */
import type { Bytes } from '../wire/bytes.ts';
import type { Signatures } from './signature.ts';

/** Transform type 2, a pseudorandom function; all of ours are HMAC, so extract and expand of HKDF are prf and prf+ (RFC 7296 §2.13). */
export interface Prf {
  readonly id: number;
  /** Bytes of output, and the preferred key size (RFC 7296 §2.12). */
  readonly length: number;
  mac(key: Bytes, data: Bytes): Bytes;
  /** prf+ (prf (salt, secret), info), `length` bytes: HKDF extract and expand in one. */
  derive(salt: Bytes, secret: Bytes, info: Bytes, length: number): Bytes;
  /** prf+ (key, seed), `length` bytes. */
  expand(key: Bytes, seed: Bytes, length: number): Bytes;
}

/** Transform type 1. An AEAD carries its own integrity; for CBC `icvLength` is 0 and the caller MACs (encrypt, then MAC). */
export interface Encryption {
  readonly id: number;
  readonly keyBits: number;
  readonly aead: boolean;
  /** Bytes of keying material to take, with the salt of an AEAD (RFC 5282 §7.1: key, then salt). */
  readonly keyLength: number;
  readonly ivLength: number;
  /** Plaintext with its padding is a multiple of this. */
  readonly blockLength: number;
  readonly icvLength: number;
  /** Ciphertext, followed by the tag of an AEAD. `aad` is ignored by CBC. */
  seal(key: Bytes, iv: Bytes, plaintext: Bytes, aad: Bytes): Bytes;
  /** Plaintext, or undefined when it is not authentic or not a whole number of blocks; never throws. */
  open(key: Bytes, iv: Bytes, sealed: Bytes, aad: Bytes): Bytes | undefined;
}

/** Transform type 3, truncated as its name says. */
export interface Integrity {
  readonly id: number;
  readonly keyLength: number;
  readonly icvLength: number;
  mac(key: Bytes, data: Bytes): Bytes;
}

/**
 * Transform types 4 and 6 to 12, Diffie-Hellman and key encapsulation alike: whoever begins generates a pair and concludes with what
 * the other side responds. A key pair is plain bytes, so that an SA that holds it can move to another pod.
 */
export interface KeyExchange {
  readonly id: number;
  /** A quantum computer does not break it. */
  readonly postQuantum: boolean;
  /** Bytes of what the initiator sends, and of what the responder does. */
  readonly requestLength: number;
  readonly responseLength: number;
  generate(random: (length: number) => Bytes): { readonly privateKey: Bytes; readonly publicValue: Bytes };
  /** Our answer and the shared secret. ML-KEM draws its own randomness. @throws ProtocolError (drop, INVALID_SYNTAX) for a value that the method forbids. */
  respond(peerValue: Bytes, random: (length: number) => Bytes): { readonly publicValue: Bytes; readonly shared: Bytes };
  /** The shared secret. @throws ProtocolError (drop, INVALID_SYNTAX) for a value that the method forbids. */
  conclude(privateKey: Bytes, peerValue: Bytes): Bytes;
}

/** XChaCha20-Poly1305 and HKDF-SHA256, for tickets, hand-off and cookies: never negotiated. */
export interface Sealing {
  /** key 32 bytes, nonce 24 bytes; answers ciphertext and 16 bytes of tag. */
  seal(key: Bytes, nonce: Bytes, plaintext: Bytes, aad: Bytes): Bytes;
  open(key: Bytes, nonce: Bytes, sealed: Bytes, aad: Bytes): Bytes | undefined;
  /** One subkey per purpose and audience: HKDF-SHA256(secret, salt = audience, info = purpose), 32 bytes. */
  subkey(secret: Bytes, purpose: string, audience: string): Bytes;
  hmacSha256(key: Bytes, data: Bytes): Bytes;
  sha1(data: Bytes): Bytes; // NAT detection, RFC 7296 §2.23
  sha256(data: Bytes): Bytes;
}

/** Undefined: an algorithm that we do not have. */
export interface Cryptography {
  readonly name: 'auto' | 'noble' | 'openssl';
  /** What serves: `libcrypto` is OpenSSL called directly, where that works. */
  readonly provider: 'noble' | 'openssl' | 'libcrypto';
  prf(id: number): Prf | undefined;
  encryption(id: number, keyBits: number): Encryption | undefined;
  integrity(id: number): Integrity | undefined;
  keyExchange(id: number): KeyExchange | undefined;
  readonly sealing: Sealing;
  readonly signatures: Signatures;
}
