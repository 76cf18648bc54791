/**
 * How a client comes back: which exchange, how long it waits for an answer, how long it pauses (RFC 5723 §4.3.2, §9.4). Pure.
 *
 * Every attempt comes from a new source port: a flow that some NAT or service on the way has pinned to a dead gateway
 * stays there as long as packets keep it alive.
 */

/** How an attempt ended that did not lead to a session. */
export type Failure = 'unanswered' | 'refused';

/** What has failed since the last session. */
export interface Outage {
  readonly attempts: number;
  readonly refusals: number;
  readonly last: Failure | undefined;
}

export const NO_OUTAGE: Outage = { attempts: 0, refusals: 0, last: undefined };

export const withFailure = ({ attempts, refusals }: Outage, last: Failure): Outage => ({
  ...{ attempts: attempts + 1, refusals: refusals + (last === 'refused' ? 1 : 0), last },
});

export interface Attempt {
  /** Counts from 1 within an outage. */
  readonly number: number;
  readonly kind: 'full' | 'resumed';
  /** Which port of the gateway it begins at. */
  readonly entry: 'ike' | 'nat';
  /** To wait before it begins. */
  readonly pauseMs: number;
  /** To wait for each answer before the next port is tried. */
  readonly patienceMs: number;
}

export interface Tempo {
  /** Patience of the first attempts; doubles up to eight times this. */
  readonly patienceMs: number;
  /** First pause after unanswered attempts; doubles up to `longestPauseMs`. */
  readonly pauseMs: number;
  readonly longestPauseMs: number;
}

export const TEMPO: Tempo = { patienceMs: 1_000, pauseMs: 250, longestPauseMs: 30_000 };

/** With one of two gateways dead but not yet taken out of the balancer, three new ports reach the living one in 7 cases of 8. */
const RESUMPTIONS_FIRST = 3;
/** So many ports are tried in a row before pauses begin. */
const AT_ONCE = 3;
/** Who was refused has been heard: it is a matter of configuration, and trying again is no hurry. */
const PAUSE_WHEN_REFUSED_MS = 2_000;

/** The next attempt. `chance`: evenly distributed in [0, 1), so that a thousand clients of one dead gateway do not come in step. */
export function nextAttempt(outage: Outage, ticket: boolean, chance: number, tempo: Tempo = TEMPO): Attempt {
  const failed = outage.attempts;
  const kind = ticket && resumes(failed) ? 'resumed' : 'full';
  return {
    number: failed + 1,
    kind,
    // RFC 7296 §2.23: "even at the beginning of IKE". The session of the ticket was there, and one flow is more likely than two to reach a living pod.
    entry: kind === 'resumed' ? 'nat' : 'ike',
    pauseMs: Math.round(pauseMs(outage, tempo) * (0.5 + chance / 2)),
    patienceMs: tempo.patienceMs * 2 ** Math.min(Math.max(failed - 1, 0), 3),
  };
}

/**
 * At first only resumptions; then full exchanges and resumptions in turn: something on the way may swallow the exchange
 * that it does not know, or the whole gateway may be away, and when it is back a resumption costs it far less.
 */
const resumes = (failed: number): boolean => failed < RESUMPTIONS_FIRST || (failed - RESUMPTIONS_FIRST) % 2 === 1;

function pauseMs({ attempts, refusals, last }: Outage, { pauseMs, longestPauseMs }: Tempo): number {
  if (last === undefined) return 0;
  if (last === 'refused') return Math.min(PAUSE_WHEN_REFUSED_MS * 2 ** (refusals - 1), longestPauseMs);
  return attempts < AT_ONCE ? 0 : Math.min(pauseMs * 2 ** (attempts - AT_ONCE), longestPauseMs);
}
