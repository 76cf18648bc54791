/** What a client wants of a gateway, and what it keeps to come back (RFC 5723 §5, the columns of the initiator). */

import type { Selector } from '../contract/dataplane.ts';
import type { Algorithms, Retransmit } from '../contract/gateway-config.ts';
import type { IkeSuite } from './crypto/suite.ts';
import type { Identity, Instant, Path } from './sa.ts';
import type { Bytes } from './wire/bytes.ts';

export interface Connection {
  /** Names the connection in events. */
  readonly name: string;
  /** First exchange: our and the gateway's port for plain IKE. */
  readonly path: Path;
  /** Both ends after the move to NAT traversal (ports 4500). */
  readonly natPath: Path;
  readonly local: Identity;
  /** Undefined: any identity that proves itself. */
  readonly remote: Identity | undefined;
  readonly authentication: OwnProof;
  /** Whom a gateway's certificate must lead to. */
  readonly trust: TrustedAuthorities;
  readonly ppk: OwnPpk | undefined;
  /** required: no session, resumed ones included, whose keys come of nothing but what a quantum computer breaks. */
  readonly postQuantum: 'any' | 'required';
  readonly ike: Algorithms;
  readonly esp: Algorithms;
  /** Ask for inner addresses; a former one is asked for again when a ticket remembers it. */
  readonly addresses: { readonly ipv4: boolean; readonly ipv6: boolean };
  readonly localTraffic: readonly Selector[];
  readonly remoteTraffic: readonly Selector[];
  readonly tickets: boolean;
  /** Follow a gateway that sends us elsewhere (RFC 5685); `from`: the address of the one that did. Undefined: never. */
  readonly redirects: { readonly from: Bytes | undefined } | undefined;
  /** Keep the session when our address changes (RFC 4555), if the gateway can too. */
  readonly mobike: boolean;
  /** Begin without a child, where the gateway can do that (RFC 6023). */
  readonly childless: boolean;
  readonly forceEncapsulation: boolean;
  readonly rekeyMs: number;
  readonly childRekeyMs: number;
  readonly reauthenticationMs: number;
  readonly deadPeerMs: number;
  readonly retransmit: Retransmit;
  readonly fragmentBytes: number;
}

/** How we prove who we are. With a PSK the gateway proves itself by the same key, else by a certificate. */
export type OwnProof =
  | { readonly method: 'psk'; readonly secret: Bytes }
  /** DER: our own certificate first, then intermediates; PKCS #8. */
  | { readonly method: 'certificate'; readonly chain: readonly Bytes[]; readonly privateKey: Bytes }
  /** `eapOnly`: the gateway may do without a certificate when the method proves both (RFC 5998). */
  | { readonly method: 'eap'; readonly eapOnly: boolean };

/** A post-quantum pre-shared key that the gateway has too (RFC 8784). */
export interface OwnPpk {
  /** Without its type. */
  readonly id: Bytes;
  readonly secret: Bytes;
  /** No session without it. */
  readonly required: boolean;
}

/** DER: certificates of trust anchors, and revocation lists. */
export interface TrustedAuthorities {
  readonly anchors: readonly Bytes[];
  readonly lists: readonly Bytes[];
  /** `required`: a list or a stapled OCSP response must say of each certificate that it is good; `ifKnown` when left out. */
  readonly revocation?: 'ifKnown' | 'required';
}

/** A ticket with the state that RFC 5723 §5 marks "from the ticket". SK_d is secret: keep it as safe as a PSK. */
export interface HeldTicket {
  readonly ticket: Bytes;
  readonly expiresAt: Instant;
  readonly suite: IkeSuite;
  readonly skD: Bytes;
  readonly local: Identity;
  readonly remote: Identity;
  readonly authenticatedAt: Instant;
  readonly reauthenticateBy: Instant;
  readonly inner: readonly Bytes[];
  /** No quantum computer breaks what its keys came of. */
  readonly postQuantum: boolean;
  readonly form: ResumptionForm;
}

/** How a gateway computes AUTH after a resumption, and wants it computed: as RFC 5723 §4.3.3 says, or as libreswan does (auth.ts). */
export type ResumptionForm = 'rfc' | 'libreswan';
