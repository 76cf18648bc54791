/** An IKE SA as plain data: what is true of it in every phase, plus its phase. It holds no handle, so it can be sealed, moved to another pod and go on there. */
import type { Child, ChildOffer } from './child.ts';
import type { Connection, HeldTicket, ResumptionForm } from './connection.ts';
import type { IkeKeys } from './crypto/keymat.ts';
import type { IkeSuite } from './crypto/suite.ts';
import type { EapMethod, EapOutcome } from './eap.ts';
import type { Awaited, Followup } from './followup.ts';
import type { Intermediate } from './intermediate-auth.ts';
import type { CertificateReference } from './pki/trust.ts';
import type { ClosedWhy } from './step.ts';
import type { TicketState } from './ticket.ts';
import type { Bytes } from './wire/bytes.ts';
import type { Payload } from './wire/payload.ts';

/** Milliseconds since the epoch, handed in by the caller; the core never looks at a clock. */
export type Instant = number & { readonly instant: unique symbol };
export const later = (instant: Instant, ms: number): Instant => (instant + ms) as Instant;
export const NEVER = Number.POSITIVE_INFINITY as Instant;

/** Where datagrams of an SA come from and go to: `192.0.2.1:500`, `[2001:db8::1]:4500`. */
export interface Path {
  readonly local: string;
  readonly remote: string;
}

/** An ID payload (RFC 7296 §3.5). */
export interface Identity {
  readonly idType: number;
  readonly data: Bytes;
  /** As in the payload; undefined where it is not about AUTH. */
  readonly reserved?: Bytes;
}

export interface IkeSa {
  readonly role: 'initiator' | 'responder';
  readonly spiI: string;
  readonly spiR: string;
  readonly path: Path;
  readonly window: Window;
  /** Present on the client's side, whichever side began this SA (a rekey may turn the roles around). */
  readonly connection: Connection | undefined;
  readonly phase: Phase;
}

/** Message ids and retransmission (RFC 7296 §2.1–§2.3); the window size is 1 in both directions. */
export interface Window {
  /** Id of our next request. */
  readonly next: number;
  /** Id of the peer's next request. */
  readonly expected: number;
  /** Our request that waits for its response. */
  readonly sent: Sent | undefined;
  /** How we answered request `expected - 1`: a repeated request gets the same bytes. */
  readonly answered: readonly Bytes[];
  /** Fragments of one message that is not complete yet (RFC 7383 §2.6). */
  readonly fragments: Fragments | undefined;
}

export interface Sent {
  readonly messageId: number;
  readonly datagrams: readonly Bytes[];
  readonly attempt: number;
  readonly due: Instant;
}

export interface Fragments {
  readonly messageId: number;
  readonly response: boolean;
  readonly total: number;
  readonly first: number;
  /** RFC 7383 §2.6: what has not become whole by then is discarded. */
  readonly until: Instant;
  /** What preceded the body of fragment 1; empty before it came. */
  readonly head: Bytes;
  /** Decrypted, by fragment number. */
  readonly parts: Readonly<Record<string, Bytes>>;
}

/** Each phase carries exactly what is known in it, so that a handler cannot ask for keys that do not exist yet. */
export type Phase =
  | InitSent
  | ResumeSent
  | Keyed
  | IntermediateSent
  | AuthSent
  | EapHeard
  | EapSaid
  | EapAuthSent
  | HalfOpen
  | EapAsked
  | EapSent
  | EapProven
  | Established
  | Replaced
  | Closing
  | Gone;

/** Initiator: IKE_SA_INIT sent. */
export interface InitSent {
  readonly name: 'initSent';
  readonly connection: Connection;
  readonly handshake: Handshake;
  readonly nonce: Bytes;
  readonly ke: KeyPair;
  readonly request: Bytes;
  /** An answer without what we demand has come; a better one may follow. */
  readonly doubted: boolean;
  /** Answers with COOKIE or INVALID_KE_PAYLOAD so far: bounded. */
  readonly retries: number;
}

/** Ours, of group `id`. */
export interface KeyPair {
  readonly id: number;
  readonly privateKey: Bytes;
  readonly publicValue: Bytes;
}

/** Initiator: IKE_SESSION_RESUME sent (RFC 5723 §4.3.2). */
export interface ResumeSent {
  readonly name: 'resumeSent';
  readonly connection: Connection;
  readonly handshake: Handshake;
  readonly nonce: Bytes;
  readonly ticket: HeldTicket;
  readonly request: Bytes;
  readonly retries: number;
}

/** Keys are agreed: what every later phase knows. */
export interface Secured {
  readonly suite: IkeSuite;
  readonly keys: IkeKeys;
  readonly nat: Nat;
  /** Both sides can fragment (RFC 7383 §2.3). */
  readonly fragmentation: boolean;
}

/** Who is behind a NAT (RFC 7296 §2.23); either one means UDP encapsulation and port 4500. */
export interface Nat {
  readonly local: boolean;
  readonly remote: boolean;
}

/** What the AUTH payloads sign (RFC 7296 §2.15) and where it came from. */
export interface FirstMessages {
  readonly initiator: Bytes;
  readonly responder: Bytes;
  readonly ni: Bytes;
  readonly nr: Bytes;
  /** What IKE_INTERMEDIATE adds to that (RFC 9242 §3.3.2). */
  readonly intermediate?: Intermediate;
}

/** What both sides of a first exchange know beside. */
interface Agreeing {
  readonly first: FirstMessages;
  /** The hashes that the peer takes in signatures (RFC 7427 §4); empty: it knows the older methods alone. */
  readonly peerHashes: readonly number[];
  /** Further key exchanges that are to be done before IKE_AUTH (RFC 9370), in order. */
  readonly pending: readonly number[];
  /** No quantum computer breaks what the keys came of so far. */
  readonly postQuantum: boolean;
  /** Both said that they have post-quantum pre-shared keys (RFC 8784); whether they have the same one is for IKE_AUTH to tell. */
  readonly ppk: boolean;
}

/** Responder: IKE_SA_INIT or IKE_SESSION_RESUME answered, IKE_AUTH awaited. */
export interface HalfOpen extends Secured, Agreeing {
  readonly name: 'halfOpen';
  /** The last request came under these, and so will its repetition. */
  readonly formerKeys: IkeKeys | undefined;
  /** What a ticket brought; undefined in a full exchange. */
  readonly resumed: TicketState | undefined;
  /** The client can be sent elsewhere (RFC 5685). */
  readonly redirectable: boolean;
  readonly since: Instant;
  readonly until: Instant;
  /** How often it was handed to another pod. */
  readonly moves: number;
}

/** Responder: the peer proves itself by EAP (RFC 7296 §2.16). */
interface EapServed extends Omit<HalfOpen, 'name' | 'formerKeys' | 'resumed' | 'moves'> {
  /** IDi, which nothing has proven, and our own IDr. */
  readonly claimed: Identity;
  readonly local: Identity;
  /** Name of the rule, and the method that it wants. */
  readonly rule: string;
  readonly method: EapMethod;
  /** We have shown no certificate (RFC 5998). */
  readonly eapOnly: boolean;
  /** What else the first IKE_AUTH request asked for: it is answered last (RFC 7296 §2.16, RFC 5723 §4.2). */
  readonly asked: readonly Payload[];
  /** Packets of the peer so far: bounded. */
  readonly rounds: number;
}

/** Responder: whoever speaks EAP for us was asked; the peer's request waits for the answer. */
export interface EapAsked extends EapServed {
  readonly name: 'eapAsked';
  /** What goes before our first packet: who we are, and the proof. */
  readonly opening: readonly Payload[];
}

/** Responder: our packet is sent, the peer's is awaited. */
export interface EapSent extends EapServed {
  readonly name: 'eapSent';
}

/** Responder: EAP-Success is sent; AUTH by the key of the method is awaited. */
export interface EapProven extends EapServed {
  readonly name: 'eapProven';
  readonly outcome: EapOutcome;
}

/** Initiator: the first exchange is done, IKE_AUTH follows in the same step. */
export interface Keyed extends Secured, Agreeing {
  readonly name: 'keyed';
  /** We want no child for now, and the gateway can do that (RFC 6023). */
  readonly childless: boolean;
  readonly connection: Connection;
  readonly handshake: Handshake;
  readonly resumed: HeldTicket | undefined;
  readonly resumptionForm: ResumptionForm;
}

/** Initiator: IKE_INTERMEDIATE sent, with a further key exchange. */
export interface IntermediateSent extends Omit<Keyed, 'name'> {
  readonly name: 'intermediateSent';
  readonly ke: KeyPair;
  /** Our request as AUTH will cover it. */
  readonly content: Bytes;
}

/** Initiator: IKE_AUTH sent. */
export interface AuthSent extends Omit<Keyed, 'name'> {
  readonly name: 'authSent';
  /** Undefined: childless (RFC 6023). */
  readonly offer: ChildOffer | undefined;
}

/** Initiator: who the gateway says it is; `shown`: what its certificate has proven, without which EAP must prove it (RFC 5998). */
export interface EapTaken extends Omit<AuthSent, 'name'> {
  readonly remote: Identity;
  readonly shown: Pick<Established, 'credential' | 'reauthenticateBy'> | undefined;
  readonly rounds: number;
}

/** Initiator: a packet of the gateway is with whoever speaks EAP for us. */
export interface EapHeard extends EapTaken {
  readonly name: 'eapHeard';
  readonly until: Instant;
}

/** Initiator: our packet is sent, the gateway's is awaited. */
export interface EapSaid extends EapTaken {
  readonly name: 'eapSaid';
}

/** Initiator: EAP has succeeded and our AUTH is sent; the gateway's is awaited. */
export interface EapAuthSent extends EapTaken {
  readonly name: 'eapAuthSent';
  readonly msk: Bytes | undefined;
}

/** What the client counts of a handshake, for its events. */
export interface Handshake {
  readonly began: Instant;
  readonly roundTrips: number;
  readonly keyExchanges: number;
}

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

/** A responder's SA whose peer has not proven who it is. */
export const isUnproven = ({ name }: Phase): boolean =>
  name === 'halfOpen' || name === 'eapAsked' || name === 'eapSent' || name === 'eapProven';

export type PhaseName = Phase['name'];
export type InPhase<N extends PhaseName> = IkeSa & { readonly phase: Extract<Phase, { name: N }> };
export const inPhase = <N extends PhaseName>(sa: IkeSa, ...names: readonly N[]): sa is InPhase<N> =>
  (names as readonly string[]).includes(sa.phase.name);

/** The SPI that we chose, by which the table of SAs knows this one. */
export const ownSpi = (sa: Pick<IkeSa, 'role' | 'spiI' | 'spiR'>): string => (sa.role === 'initiator' ? sa.spiI : sa.spiR);
