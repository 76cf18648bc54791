/** What a session is to be, and what it tells of itself. */
import type { Instant } from '../ike/sa.ts';
import type { ClosedWhy, Event } from '../ike/step.ts';
import type { Bytes } from '../ike/wire/bytes.ts';
import type { ClientOptions } from './options.ts';
import type { ClientPorts } from './ports.ts';

/** What a session tells while it lives. */
export interface SessionObserver {
  readonly event: (event: Event) => void;
  /** The gateway has answered the first message and IKE_AUTH is on its way. */
  readonly authenticating: () => void;
  readonly inner: (packet: Bytes) => void;
  /** An exception that is a bug. */
  readonly failed: (error: unknown, doing: string) => void;
}

export interface SessionEnd {
  readonly why: ClosedWhy | 'unanswered' | 'no child SA';
  /** Undefined: it never was. */
  readonly establishedAt: Instant | undefined;
  /** Since the last authentic packet of the gateway. */
  readonly silentMs: number;
}

export interface SessionRequest {
  readonly options: ClientOptions;
  /** The gateway's address that sent us to this one, 4 or 16 bytes (RFC 5685 §9.3). */
  readonly redirectedFrom?: Bytes | undefined;
  readonly ports: ClientPorts;
  readonly observer: SessionObserver;
  /** Answer pings to our inner addresses here. */
  readonly answersEcho: boolean;
  /** How long the gateway may take for each answer until the session is there. */
  readonly patienceMs: number;
  /** Which port of the gateway the first message goes to. */
  readonly entry: 'ike' | 'nat';
  /** A port of ours that must not be used again. */
  readonly not: number | undefined;
}
