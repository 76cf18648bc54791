/** Encryption and authentication of ESP packets in place (RFC 4303 §2): of one direction of one child, in one arena. */
import type { ChildSa } from '../../contract/dataplane.ts';

export interface EspCipher {
  readonly ivLength: number;
  readonly icvLength: number;
  /** Plaintext is a whole number of these. */
  readonly blockLength: number;
  /**
   * Of the packet at `at`, whose header and padded plaintext are there: writes the IV, encrypts, and writes the ICV behind the `length` bytes.
   * `sequence`: the whole number, which must never be used twice with one key: an AEAD takes its IV from it (RFC 4106 §3.1, RFC 7634 §2).
   */
  seal(at: number, length: number, sequence: number): void;
  /** Of a packet of `length` bytes, ICV included: decrypts it, if it is authentic. `length` has room for header, IV and ICV. */
  open(at: number, length: number, sequence: number): 'authentic' | 'authentication' | 'malformed';
  /** Forgets the keys; nothing may be called afterwards. */
  free(): void;
}

export interface EspCiphers {
  /** @throws Error for an algorithm that we do not have, or keys of the wrong size: the core negotiated something else than it installed. */
  outbound(suite: ChildSa['suite'], keys: ChildSa['keyOut']): EspCipher;
  /** @throws Error as above. */
  inbound(suite: ChildSa['suite'], keys: ChildSa['keyIn']): EspCipher;
}
