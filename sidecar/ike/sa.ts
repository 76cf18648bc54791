/** An IKE SA as plain data: what is true of it in every phase, plus its phase. It holds no handle, so it can be sealed, moved to another pod and go on there. */
import type { Connection } from './connection.ts';
import type { IkeKeys } from './crypto/keymat.ts';
import type { IkeSuite } from './crypto/suite.ts';
import type { Closing, Established, Gone, Replaced } from './established.ts';
import type {
  AuthSent,
  EapAsked,
  EapAuthSent,
  EapHeard,
  EapProven,
  EapSaid,
  EapSent,
  HalfOpen,
  InitSent,
  IntermediateSent,
  Keyed,
  ResumeSent,
} from './handshake-phase.ts';
import type { Bytes } from './wire/bytes.ts';

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

/** A responder's SA whose peer has not proven who it is. */
export const isUnproven = ({ name }: Phase): boolean =>
  name === 'halfOpen' || name === 'eapAsked' || name === 'eapSent' || name === 'eapProven';

export type PhaseName = Phase['name'];
export type InPhase<N extends PhaseName> = IkeSa & { readonly phase: Extract<Phase, { name: N }> };
export const inPhase = <N extends PhaseName>(sa: IkeSa, ...names: readonly N[]): sa is InPhase<N> =>
  (names as readonly string[]).includes(sa.phase.name);

/** The SPI that we chose, by which the table of SAs knows this one. */
export const ownSpi = (sa: Pick<IkeSa, 'role' | 'spiI' | 'spiR'>): string => (sa.role === 'initiator' ? sa.spiI : sa.spiR);

/** Both SPIs: what names an SA among siblings. */
export type SpiPair = Pick<IkeSa, 'spiI' | 'spiR'>;
export const pairOf = ({ spiI, spiR }: SpiPair): string => `${spiI} ${spiR}`;
