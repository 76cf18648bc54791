/** An IKE SA that is established, and how it ends: who the peer is, what it was granted, what is under way. */
import type { Child, ChildOffer } from './child.ts';
import type { ResumptionForm } from './connection.ts';
import type { IkeSuite } from './crypto/suite.ts';
import type { Awaited, Followup } from './followup.ts';
import type { KeyPair } from './handshake-phase.ts';
import type { CertificateReference } from './pki/trust.ts';
import type { Identity, IkeSa, Instant, Path, Secured } from './sa.ts';
import type { ClosedWhy } from './step.ts';
import type { Bytes } from './wire/bytes.ts';

export interface Established extends Secured {
  readonly name: 'established';
  readonly kind: 'full' | 'resumed';
  readonly local: Identity;
  readonly remote: Identity;
  readonly since: Instant;
  readonly credential: Credential;
  /** When the credentials themselves were last checked, and when they must be again; a chain of resumptions inherits both (RFC 5723 §6.2). */
  readonly authenticatedAt: Instant;
  readonly reauthenticateBy: Instant;
  readonly rekeyAt: Instant;
  /** Last authenticated message or ESP packet of the peer. */
  readonly heardAt: Instant;
  readonly children: readonly Child[];
  /** Inner addresses: the ones we assigned, or were assigned. */
  readonly inner: readonly Bytes[];
  /** Undefined: one of us does not speak MOBIKE. */
  readonly mobility: Mobility | undefined;
  /** Gateway: the client can be sent elsewhere (RFC 5685), and was not yet. */
  readonly redirectable: boolean;
  /** The SA that a resumption replaces: its responder's SPI, and the pod where it lived. */
  readonly replaces: { readonly spiR: string; readonly pod: number | undefined } | undefined;
  /** Identity of the last ticket that we sealed for this SA. */
  readonly ticketId: Bytes | undefined;
  /** No quantum computer breaks what the keys came of; inherited by resumptions. */
  readonly postQuantum: boolean;
  /** Client: the gateway's, for the tickets that it gives. */
  readonly resumptionForm: ResumptionForm;
  /** What must be repeated to whoever counts the session's time and bytes (RFC 2866); inherited by resumptions. */
  readonly accounting: Accounting | undefined;
  /** It ends then with a DELETE, if its peer has not ended it: for another reason than that its credentials are old. */
  readonly endsBy: { readonly at: Instant; readonly why: ClosedWhy } | undefined;
  /** The peer had no time for a child that we asked for: when we ask again, and how often we have (RFC 7296 §2.25). */
  readonly childAgain: { readonly at: Instant; readonly tries: number } | undefined;
  /** The peer's CREATE_CHILD_SA that is not complete yet. */
  readonly awaited: Awaited | undefined;
  /** Our exchange that waits for its response. */
  readonly exchange: OwnExchange | undefined;
  /** What to begin when the window is free again, oldest first. */
  readonly wanted: readonly Intent[];
}

/** Both sides speak MOBIKE (RFC 4555). */
export interface Mobility {
  /** What the peer told of its other addresses (§3.4, §3.6), 4 or 16 bytes each; bounded. */
  readonly additional: readonly Bytes[];
  /** Gateway: the children's packets still go this way, since the peer has not shown yet that it receives at the new address (§3.7). */
  readonly former: Path | undefined;
  /** Client: NAT_DETECTION_DESTINATION_IP as the gateway said it last; another one means another address outside (§3.8). */
  readonly seen: Bytes | undefined;
}

/** How the peer proved who it is; a chain of resumptions inherits it (RFC 5723 §5). */
export interface Credential {
  /** IANA authentication method. */
  readonly method: number;
  /** IANA type of the EAP method, when it was EAP. */
  readonly eapType: number | undefined;
  /** IDi when what was authenticated is another identity (EAP). */
  readonly claimed: Identity | undefined;
  readonly certificate: ProvenCertificate | undefined;
  /** Tells one pre-shared key from its successor (`pskDigest`). */
  readonly psk: Bytes | undefined;
  /** Name of the authentication rule, at a gateway. A resumption chooses it anew, so that a change of policy reaches it. */
  readonly rule: string | undefined;
}

export interface ProvenCertificate {
  /** SHA-256 over its DER. */
  readonly fingerprint: Bytes;
  readonly chain: readonly CertificateReference[];
  readonly notAfter: Instant;
}

export interface Accounting {
  /** Attributes of RADIUS (RFC 2865 §5.25), as in EapGrant; may be empty. */
  readonly class: Bytes;
  /** Acct-Interim-Interval (RFC 2869 §5.16). */
  readonly interimMs: number | undefined;
}

/** The peer rekeyed it and will delete it; until then it only answers (RFC 7296 §2.8.2). */
export interface Replaced extends Secured {
  readonly name: 'replaced';
  readonly until: Instant;
}

/** DELETE sent; the SA lives until it is answered. */
export interface Closing extends Secured {
  readonly name: 'closing';
  readonly remote: Identity;
  readonly why: ClosedWhy;
}

/** Dead, but still answers a repeated last request. */
export interface Gone extends Secured {
  readonly name: 'gone';
  /** Its peer had authenticated itself: no stranger makes us keep such ones. */
  readonly proven: boolean;
  readonly until: Instant;
}

export type Intent =
  /** `group`: the one that the peer asked for with INVALID_KE_PAYLOAD. */
  | { readonly kind: 'newChild'; readonly group?: number }
  | { readonly kind: 'rekeyChild'; readonly spiIn: number; readonly group?: number }
  | { readonly kind: 'rekeyIke'; readonly group?: number }
  | { readonly kind: 'deleteChild'; readonly spiIn: number }
  /** The peer has a child with this SPI of ours, and we do not. */
  | { readonly kind: 'disown'; readonly spiIn: number }
  /** `why`: 'deleted' unless it says otherwise. */
  | { readonly kind: 'deleteIke'; readonly why?: ClosedWhy }
  | { readonly kind: 'liveness' }
  | { readonly kind: 'requestTicket' }
  /** Client: tell the gateway where we are (RFC 4555 §3.5). */
  | { readonly kind: 'updateAddresses' }
  /** Gateway: let the peer show that it receives where it says that it is (RFC 4555 §3.7). */
  | { readonly kind: 'verifyPath' }
  /** Gateway: send the client elsewhere (RFC 5685 §5), if it can follow. */
  | { readonly kind: 'redirect' };

export type OwnExchange =
  | { readonly kind: 'newChild'; readonly offer: ChildOffer }
  | { readonly kind: 'rekeyChild'; readonly old: number; readonly offer: ChildOffer; readonly rival: Rival<number> | undefined }
  | { readonly kind: 'rekeyIke'; readonly offer: IkeOffer; readonly rival: Rival<string> | undefined }
  | { readonly kind: 'followup'; readonly followup: Followup; readonly ke: KeyPair }
  | { readonly kind: 'deleteChild'; readonly spiIn: number }
  | { readonly kind: 'liveness' }
  | { readonly kind: 'requestTicket' }
  | { readonly kind: 'redirect' }
  /** `path`: where it was first sent. */
  | { readonly kind: 'updateAddresses' | 'verifyPath'; readonly cookie: Bytes; readonly path: Path };

/** Of a new IKE SA: all but what its keys come of when there is more (RFC 9370). */
export interface IkeAgreement {
  readonly role: IkeSa['role'];
  readonly suite: IkeSuite;
  readonly additional: readonly number[];
  readonly spiI: string;
  readonly spiR: string;
  readonly ni: Bytes;
  readonly nr: Bytes;
  readonly shared: Bytes;
}

export interface IkeOffer {
  readonly spi: string;
  readonly nonce: Bytes;
  readonly ke: KeyPair;
}

/** The peer rekeyed the same SA while our own rekey was under way (RFC 7296 §2.8.1): our SPI of theirs, and its lowest nonce. */
export interface Rival<Spi> {
  readonly spi: Spi;
  readonly lowestNonce: Bytes;
}
