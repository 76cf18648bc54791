/** What comes out of the core: the next state of an SA, and what the shell must do. */
import type { DataplaneOrder, DataplaneReport } from '../contract/dataplane.ts';
import type { Resolvers } from './configuration.ts';
import type { Connection, HeldTicket } from './connection.ts';
import type { Policy } from './context.ts';
import type { EapAnswer, EapQuestion } from './eap.ts';
import type { Accounting, Established, Intent } from './established.ts';
import type { Handshake } from './handshake-phase.ts';
import type { Identity, IkeSa, Instant, Path } from './sa.ts';
import type { Supersedes } from './superseded.ts';
import type { Bytes } from './wire/bytes.ts';
import type { Payload } from './wire/payload.ts';

/** The result of every handler. */
export interface Step {
  /** The SA as it now is; gone if undefined. */
  readonly sa: IkeSa | undefined;
  /** Why it is gone, when it was more than an attempt. */
  readonly closes?: ClosedWhy;
  readonly outputs: readonly Output[];
  /** Further SAs that came to be, or that this one changes (an IKE rekey). */
  readonly born?: readonly IkeSa[];
  /** Our SPIs of other SAs that end silently, with the reason (INITIAL_CONTACT, a resumption). */
  readonly ends?: readonly { readonly spi: string; readonly why: ClosedWhy }[];
  /** Our SPIs of other SAs that end with a DELETE. */
  readonly tells?: readonly { readonly spi: string; readonly why: ClosedWhy }[];
  /** Sessions at other pods that the new one takes the place of: the siblings are told. */
  readonly supersedes?: readonly Supersedes[];
  /** A full exchange follows: the ticket was refused. */
  readonly begin?: { readonly connection: Connection; readonly handshake: Handshake };
}

/** What the shell must do, in order. */
export type Output =
  | { readonly type: 'send'; readonly path: Path; readonly bytes: Bytes }
  | { readonly type: 'dataplane'; readonly order: DataplaneOrder }
  /** Sealed words for the sibling pod of that ordinal; the answer comes back as an `answered` input with the same `question`, undefined when there is none. */
  | { readonly type: 'ask'; readonly ordinal: number; readonly question: string; readonly bytes: Bytes }
  /** The answer to an `asked` input. */
  | { readonly type: 'answer'; readonly question: string; readonly bytes: Bytes }
  /** For whoever speaks EAP; the answer comes back as an `eap-answered` input of the same conversation. */
  | { readonly type: 'eap'; readonly question: EapQuestion }
  /** Nobody will ask in this conversation any more. */
  | { readonly type: 'eap-forget'; readonly conversation: string }
  | { readonly type: 'event'; readonly event: Event };

export type ClosedWhy =
  | 'deleted by peer'
  | 'deleted'
  | 'peer dead'
  | 'rekeyed'
  | 'superseded by resumption'
  | 'superseded by initial contact'
  | 'replaced by another session'
  | 'certificate revoked'
  | 'half-open too long'
  | 'authentication too old'
  | 'authentication failed'
  | 'handshake failed'
  | 'handed over'
  | 'address refused'
  | 'redirected'
  | 'shutdown'
  | 'protocol error'
  | 'internal error';

/** What whoever counts must know of a session that goes on here. */
export type TakenSession = Pick<Established, 'remote' | 'inner' | 'accounting' | 'authenticatedAt'>;

interface Which {
  readonly spiI: string;
  readonly spiR: string;
  readonly path: Path;
}

/** What happened, for logs, metrics and the client program. Holds no secret but in `ticket`, which only the client's store may read. */
export type Event =
  | ({ readonly name: 'half-open'; readonly kind: 'full' | 'resumed' } & Which)
  | ({
      readonly name: 'established';
      readonly kind: 'full' | 'resumed';
      readonly local: Identity;
      readonly remote: Identity;
      readonly inner: readonly Bytes[];
      readonly durationMs: number;
      /** Undefined on the responder's side. */
      readonly roundTrips: number | undefined;
      readonly keyExchanges: number;
      /** No quantum computer breaks what the keys came of. */
      readonly postQuantum: boolean;
      readonly connection: string | undefined;
      /** Undefined where nobody counts, and on the initiator's side. */
      readonly accounting: Accounting | undefined;
      /** When credentials were last checked, also before resumptions. */
      readonly authenticatedAt: Instant;
      /** Of authentication; undefined on the initiator's side. */
      readonly rule: string | undefined;
      /** What a client was given to resolve names by; undefined on the responder's side. */
      readonly resolvers: Resolvers | undefined;
    } & Which)
  /** A handshake or exchange that we or the peer refused; `notify` is the name in the registry. */
  | ({
      readonly name: 'refused';
      readonly by: 'us' | 'peer';
      readonly exchange: string;
      readonly notify: string;
      readonly reason: string;
    } & Which)
  /** `reason` is from a small closed set, so that it can label a metric; `detail` is for debug logs. */
  | { readonly name: 'dropped'; readonly reason: DropReason; readonly detail: string; readonly path: Path | undefined }
  | ({
      readonly name: 'closed';
      readonly why: ClosedWhy;
      readonly remote: Identity | undefined;
      readonly connection: string | undefined;
    } & Which)
  | ({ readonly name: 'child-installed' | 'child-rekeyed' | 'child-removed'; readonly spiIn: number } & Which)
  /** The data plane has it no more, or never had it; `child-removed` follows. */
  | ({ readonly name: 'child-lost'; readonly spiIn: number; readonly reason: string } & Which)
  | ({ readonly name: 'ike-rekeyed'; readonly newSpiI: string; readonly newSpiR: string } & Which)
  | ({ readonly name: 'retransmit'; readonly attempt: number } & Which)
  | ({ readonly name: 'moved'; readonly from: string } & Which)
  /** To another gateway (RFC 5685): a client of ours, or we ourselves; `to` is an address or a name. */
  | ({ readonly name: 'redirected'; readonly to: string; readonly connection: string | undefined } & Which)
  | { readonly name: 'cookie-demanded'; readonly path: Path }
  | ({ readonly name: 'ticket-sealed'; readonly keyId: string; readonly lifetimeMs: number } & Which)
  | { readonly name: 'ticket-opened'; readonly keyId: string; readonly path: Path }
  | { readonly name: 'ticket-refused'; readonly reason: TicketRefusal; readonly keyId: string | undefined; readonly path: Path }
  /** Client: a new ticket to keep. */
  | { readonly name: 'ticket'; readonly connection: string; readonly ticket: HeldTicket }
  /** Client: the ticket must be deleted (RFC 5723 §6.2) or was refused. */
  | { readonly name: 'ticket-void'; readonly connection: string; readonly why: string }
  | ({ readonly name: 'handed-over'; readonly to: number } & Which)
  /** `session`: undefined when it is half open. */
  | ({ readonly name: 'taken-over'; readonly from: number; readonly session: TakenSession | undefined } & Which)
  | { readonly name: 'hand-off-failed'; readonly reason: 'gone' | 'silent' | 'unreadable' | 'crowded'; readonly spiR: string }
  | { readonly name: 'address-refused'; readonly remote: Identity }
  /** An exception that is a bug: the SA is dropped, the gateway goes on. */
  | { readonly name: 'internal-error'; readonly error: unknown; readonly length: number; readonly spi: string };

export type DropReason =
  | 'malformed'
  | 'unknown-spi'
  | 'not-authentic'
  | 'unexpected'
  | 'out-of-window'
  | 'half-open-limit'
  | 'session-limit'
  | 'not-ready';

export type TicketRefusal =
  | 'malformed'
  | 'unknown-key'
  | 'not-authentic'
  | 'expired'
  | 'revoked-key'
  | 'revoked-time'
  | 'revoked-identity'
  | 'revoked-certificate'
  | 'spent'
  | 'policy'
  | 'disabled';

/** What a handler of a protected request answers: the step, and the payloads of the response. */
export interface Reply extends Step {
  /** Undefined: the answer comes later, by a step of its own. */
  readonly payloads: readonly Payload[] | undefined;
}

export const NOTHING: readonly Output[] = [];
export const event = (happened: Event): Output => ({ type: 'event', event: happened });
export const which = (sa: Which): Which => ({ spiI: sa.spiI, spiR: sa.spiR, path: sa.path });

/** What may be told to the gateway. */
export type Input =
  | { readonly type: 'datagram'; readonly path: Path; readonly bytes: Bytes }
  | { readonly type: 'deadline' }
  | { readonly type: 'connect'; readonly connection: Connection; readonly ticket: HeldTicket | undefined }
  | { readonly type: 'configure'; readonly policy: Policy }
  /** Client: our address is another one now (RFC 4555); SAs that cannot move stay as they are. */
  | { readonly type: 'roam'; readonly path: Path }
  /** `spi` is ours, as `sessions()` lists it. */
  | { readonly type: 'want'; readonly spi: string; readonly intent: Intent }
  | { readonly type: 'report'; readonly report: DataplaneReport }
  /** What carries packets is there, which it is until this says otherwise; or is not. */
  | { readonly type: 'dataplane'; readonly available: boolean }
  | { readonly type: 'asked'; readonly question: string; readonly bytes: Bytes }
  | { readonly type: 'answered'; readonly question: string; readonly bytes: Bytes | undefined }
  | { readonly type: 'eap-answered'; readonly conversation: string; readonly answer: EapAnswer }
  /** Everything ends: with DELETE (`tell`), or silently so that tickets stay good (RFC 5723 §6.2). */
  | { readonly type: 'shutdown'; readonly tell: boolean };

/** When to come back at the latest, and for what. */
export interface Deadline {
  readonly at: Instant;
  readonly why: string;
}
