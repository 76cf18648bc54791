/** Whom certificates make trustworthy (RFC 7296 §2.15, RFC 5280 §6): the port that the core asks. Pure: time comes in. */
import type { PublicKey } from '../crypto/signature.ts';
import type { Identity, Instant } from '../sa.ts';
import type { Bytes } from '../wire/bytes.ts';

/** One certificate as a revocation list names it: it is enough to ask again at a resumption, so it goes into the ticket. */
export interface CertificateReference {
  /** First 20 bytes of SHA-256 over the issuer's name as names are compared (RFC 5280 §7.1). */
  readonly issuer: Bytes;
  readonly serial: Bytes;
}

/** What the peer sent: its own certificate first (RFC 7296 §3.6), then intermediates in any order. */
export interface Presented {
  /** DER. */
  readonly certificates: readonly Bytes[];
  /** DER of OCSP responses and of revocation lists that came in CERT payloads. */
  readonly ocsp: readonly Bytes[];
  readonly lists: readonly Bytes[];
}

export interface Demand {
  readonly now: Instant;
  /** Who the peer says it is: must be in the certificate (RFC 7296 §3.5, subjectAltName or subject). Undefined: no matter who. */
  readonly identity: Identity | undefined;
  /** A client wants a gateway's certificate to be one for servers. */
  readonly usage: 'client' | 'server';
  /** Names of trust anchors that count; empty: all. */
  readonly authorities: readonly string[];
  /**
   * Whether the peer has the private key of its certificate. Asked first: what is not its own, nobody learns anything about,
   * neither whether it is trusted nor whether it is known. Undefined: that has been proven elsewhere.
   */
  readonly proves?: (key: PublicKey) => boolean;
}

export type Verdict =
  | {
      readonly trusted: true;
      readonly key: PublicKey;
      /** SHA-256 over the DER of the peer's certificate. */
      readonly fingerprint: Bytes;
      /** The peer's certificate first, then its intermediates; without the anchor. */
      readonly chain: readonly CertificateReference[];
      /** When the first certificate of the chain ends, the anchor included: no session or ticket outlives it. */
      readonly notAfter: Instant;
      /** Names of the anchors that it leads to. */
      readonly anchor: string;
      /** Subject as text (RFC 4514), for logs; and subjectAltNames as identities. */
      readonly subject: string;
      readonly identities: readonly Identity[];
    }
  /** From a closed set, for logs and metrics; the peer only learns AUTHENTICATION_FAILED. */
  | {
      readonly trusted: false;
      readonly reason: Distrust;
      readonly detail: string;
      /** Of a certificate that is good but for its name: whose it is. */
      readonly identities?: readonly Identity[];
    };

export type Distrust =
  | 'malformed'
  | 'no-certificate'
  | 'unproven'
  | 'unknown-authority'
  | 'expired'
  | 'not-yet-valid'
  | 'revoked'
  | 'revocation-unknown'
  | 'wrong-usage'
  | 'wrong-identity'
  | 'weak'
  | 'constraint';

/** Of who has no trust anchor. */
export const TRUSTS_NOBODY: Trust = {
  size: 0,
  keyHashes: [],
  verify: () => ({ trusted: false, reason: 'unknown-authority', detail: 'no trust anchor' }),
  revokes: () => false,
};

/** Trust anchors and revocation lists, replaced whole when a file changes. */
export interface Trust {
  readonly size: number;
  /** SHA-1 of the SubjectPublicKeyInfo of each anchor: the body of a CERTREQ (RFC 7296 §3.7). */
  readonly keyHashes: readonly Bytes[];
  verify(presented: Presented, demand: Demand): Verdict;
  /** Whether a list that is known now revokes one of the chain: a ticket of a revoked certificate is refused. */
  revokes(chain: readonly CertificateReference[], now: Instant): boolean;
}
