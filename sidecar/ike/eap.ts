/**
 * EAP inside IKE_AUTH (RFC 7296 §2.16): the core carries packets between the peer and whoever speaks the method, and knows no method itself.
 * It asks with an Output and goes on with a later Input, so nothing here waits: a server that is slow or dead costs its own handshakes only.
 */

import type { ProvenCertificate } from './established.ts';
import type { Identity } from './sa.ts';
import type { Bytes } from './wire/bytes.ts';

/** For whoever speaks EAP: the authentication server behind a gateway (local methods or RADIUS), the supplicant of a client. */
export interface EapQuestion {
  /** Ours: names the conversation from its first packet to its last. It is the SPI of the half-open SA. */
  readonly conversation: string;
  readonly side: 'server' | 'peer';
  /** Server: of the rule. Peer: undefined, what the connection is told to do. */
  readonly method: EapMethod | undefined;
  /** Server: the rule's name; peer: the connection's. */
  readonly name: string;
  /** The packet of the other side; undefined at the server: begin. */
  readonly message: Bytes | undefined;
  /** IDi, which nothing has proven; for methods without an identity of their own, and for RADIUS. */
  readonly claimed: Identity;
  /** Outer addresses and ports of both sides, for RADIUS (Calling-Station-Id, Called-Station-Id). */
  readonly remote: string;
  readonly local: string;
}

export type EapMethod = 'eap-mschapv2' | 'eap-tls' | 'eap-radius';

export type EapAnswer =
  /** A packet for the other side: a request of the server, a response of the peer. */
  | { readonly is: 'packet'; readonly message: Bytes }
  /** The server sends `message` (EAP-Success); a peer has received it. */
  | ({ readonly is: 'success'; readonly message: Bytes } & EapOutcome)
  /** The server sends `message` (EAP-Failure) when there is one. */
  | { readonly is: 'failure'; readonly message: Bytes | undefined; readonly why: string };

export interface EapOutcome {
  /** EAP type (IANA), for status and the ticket. */
  readonly type: number;
  /** 64 bytes, key of both AUTH payloads (RFC 7296 §2.16); undefined for a method that makes none. */
  readonly msk: Bytes | undefined;
  /** Both sides have proven themselves inside the method (RFC 5998 §4 wants this for EAP-only). */
  readonly mutual: boolean;
  /** The name that was authenticated, as EAP spells it (RFC 3748 §7.3: UTF-8 text). */
  readonly identity: string;
  /** What the identity was proven by, where it was a certificate: revoked, it stops resumption too. */
  readonly certificate: ProvenCertificate | undefined;
  readonly granted: EapGrant;
}

/** What RADIUS adds (RFC 2865, RFC 3162); empty for local methods. */
export interface EapGrant {
  /** Framed-IP-Address, Framed-IPv6-Address: inner addresses instead of the pools' next free ones. */
  readonly addresses: readonly Bytes[];
  /** Session-Timeout: must authenticate anew after this. */
  readonly sessionTimeoutMs: number | undefined;
  /** All Class attributes as they came, one after another with type and length, to be repeated in accounting by whichever pod serves the session then. */
  readonly class: Bytes | undefined;
  /** Acct-Interim-Interval. */
  readonly interimMs: number | undefined;
}

export const NO_GRANT: EapGrant = { addresses: [], sessionTimeoutMs: undefined, class: undefined, interimMs: undefined };
