/** The phases of an IKE SA until it is established: what is known on the way, by each side, and nothing else. */
import type { ChildOffer } from './child.ts';
import type { Connection, HeldTicket, ResumptionForm } from './connection.ts';
import type { IkeKeys } from './crypto/keymat.ts';
import type { EapMethod, EapOutcome } from './eap.ts';
import type { Established } from './established.ts';
import type { Intermediate } from './intermediate-auth.ts';
import type { Identity, Instant, Secured } from './sa.ts';
import type { TicketState } from './ticket.ts';
import type { Bytes } from './wire/bytes.ts';
import type { Payload } from './wire/payload.ts';

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
