/** What happens between us and RADIUS servers, for metrics and logs. `server` is host and port as configured; no secret, no identity. */

export type Answered = 'accept' | 'reject' | 'challenge' | 'accounted' | 'alive';
/** silent: no attempt was answered; crowded: given up for a younger request; abandoned: nobody waits for it any more; unresolved: no address. */
export type Unanswered = 'silent' | 'crowded' | 'abandoned' | 'unresolved';
/** unexpected: nobody waits for that identifier, a late answer mostly. */
export type Dropped = 'malformed' | 'not-authentic' | 'unexpected';

export interface RadiusObserver {
  /** Those that are in use from now on; nothing is said of others any more. */
  readonly configured: (servers: readonly string[]) => void;
  /** `ms`: since the first attempt. */
  readonly answered: (server: string, outcome: Answered, ms: number) => void;
  readonly unanswered: (server: string, outcome: Unanswered) => void;
  readonly dropped: (server: string, reason: Dropped) => void;
  readonly passedOver: (server: string, yes: boolean) => void;
  /** Accounting records that no server will ever see. */
  readonly lost: (records: number) => void;
}

export const bothObservers = (one: RadiusObserver, other: RadiusObserver): RadiusObserver => ({
  configured: (servers) => {
    one.configured(servers);
    other.configured(servers);
  },
  answered: (...what) => {
    one.answered(...what);
    other.answered(...what);
  },
  unanswered: (...what) => {
    one.unanswered(...what);
    other.unanswered(...what);
  },
  dropped: (...what) => {
    one.dropped(...what);
    other.dropped(...what);
  },
  passedOver: (...what) => {
    one.passedOver(...what);
    other.passedOver(...what);
  },
  lost: (records) => {
    one.lost(records);
    other.lost(records);
  },
});
