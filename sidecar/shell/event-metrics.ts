/** Counts the events of the core for Prometheus. Every label has a small closed set of values, but for key ids, which are forgotten with their key. */
import { Counter, Histogram, type Registry } from 'prom-client';
import type { ClosedWhy, DropReason, Event, TicketRefusal } from '../ike/step.ts';

type Kind = 'full' | 'resumed';
type Outcome = 'established' | 'authentication_failed' | 'timed_out' | 'handed_over' | 'failed';

const KINDS: readonly Kind[] = ['full', 'resumed'];
const OUTCOMES: readonly Outcome[] = ['established', 'authentication_failed', 'timed_out', 'handed_over', 'failed'];
/** By type, so that a new reason does not compile until it stands here. */
const DROPS: Readonly<Record<DropReason, true>> = {
  malformed: true,
  'unknown-spi': true,
  'not-authentic': true,
  unexpected: true,
  'out-of-window': true,
  'half-open-limit': true,
  'session-limit': true,
  'not-ready': true,
};
const REFUSALS: Readonly<Record<TicketRefusal, true>> = {
  malformed: true,
  'unknown-key': true,
  'not-authentic': true,
  expired: true,
  'revoked-key': true,
  'revoked-time': true,
  'revoked-identity': true,
  'revoked-certificate': true,
  spent: true,
  policy: true,
  disabled: true,
};

export class EventMetrics {
  readonly #handshakes: Counter<'kind' | 'outcome'>;
  readonly #durations: Histogram<'kind'>;
  readonly #resumptions: Counter<'outcome'>;
  readonly #sealed: Counter<'key_id'>;
  readonly #opened: Counter<'key_id'>;
  readonly #counters: Readonly<
    Record<'retransmits' | 'cookies' | 'rekeys' | 'lostChildren' | 'moves' | 'errors' | 'addresses', Counter>
  >;
  readonly #refusals: Counter<'by' | 'notify'>;
  readonly #drops: Counter<'reason'>;
  readonly #established: Counter<'post_quantum'>;
  readonly #closed: Counter<'why'>;
  readonly #handOffs: Counter<'outcome'>;
  /** Handshakes under way, by our SPI; as many as the core allows half-open SAs. */
  readonly #underWay = new Map<string, Kind>();
  #keyIds: ReadonlySet<string> = new Set();

  constructor(registry: Registry) {
    const counter = <L extends string = never>(name: string, help: string, ...labelNames: L[]): Counter<L> =>
      new Counter({ name: `rekindle_${name}`, help, labelNames, registers: [registry] });
    this.#handshakes = counter(
      'handshakes_total',
      'Handshakes that ended, by how the peer came and what became of it.',
      'kind',
      'outcome',
    );
    this.#durations = new Histogram({
      name: 'rekindle_handshake_duration_seconds',
      help: 'From the first message of a handshake to the established session.',
      labelNames: ['kind'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers: [registry],
    });
    this.#resumptions = counter('resumptions_total', 'Tickets presented: resumed, or why they were refused.', 'outcome');
    this.#sealed = counter('tickets_sealed_total', 'Tickets issued, by the key that seals them.', 'key_id');
    this.#opened = counter('tickets_opened_total', 'Tickets accepted, by the key that sealed them.', 'key_id');
    this.#refusals = counter('refusals_total', 'Exchanges refused with an error notification.', 'by', 'notify');
    this.#drops = counter('dropped_datagrams_total', 'IKE datagrams that got no answer.', 'reason');
    this.#established = counter(
      'sessions_established_total',
      'Sessions, by whether their keys are safe from quantum computers.',
      'post_quantum',
    );
    this.#closed = counter('sessions_closed_total', 'Established sessions that ended.', 'why');
    this.#handOffs = counter(
      'hand_offs_total',
      'Half-open SAs given to or taken from sibling pods, and attempts that failed.',
      'outcome',
    );
    this.#counters = {
      retransmits: counter('retransmits_total', 'Requests of ours that were sent again.'),
      cookies: counter('cookies_demanded_total', 'First messages that were answered with a cookie.'),
      rekeys: counter('rekeys_total', 'IKE SAs that were rekeyed.'),
      lostChildren: counter('children_lost_total', 'Children that the data plane could not install, or lost.'),
      moves: counter('moves_total', 'Peers whose outer address changed.'),
      errors: counter('internal_errors_total', 'Exceptions that are bugs.'),
      addresses: counter('addresses_refused_total', 'Sessions for which no inner address was left.'),
    };
    this.#beginAtZero();
  }

  observe(event: Event): void {
    switch (event.name) {
      case 'half-open':
        this.#underWay.set(event.spiR, event.kind);
        break;
      case 'established':
        this.#underWay.delete(event.spiR);
        this.#handshakes.inc({ kind: event.kind, outcome: 'established' });
        this.#established.inc({ post_quantum: event.postQuantum ? 'yes' : 'no' });
        this.#durations.observe({ kind: event.kind }, event.durationMs / 1_000);
        if (event.kind === 'resumed') this.#resumptions.inc({ outcome: 'resumed' });
        break;
      case 'closed':
        this.#close(event.spiR, event.why, event.remote !== undefined);
        break;
      case 'ticket-sealed':
        if (this.#keyIds.has(event.keyId)) this.#sealed.inc({ key_id: event.keyId });
        break;
      case 'ticket-opened':
        if (this.#keyIds.has(event.keyId)) this.#opened.inc({ key_id: event.keyId });
        break;
      case 'ticket-refused':
        this.#resumptions.inc({ outcome: event.reason });
        break;
      case 'refused':
        this.#refusals.inc({ by: event.by, notify: registered(event.notify) });
        break;
      case 'dropped':
        this.#drops.inc({ reason: event.reason });
        break;
      case 'hand-off-failed':
        this.#handOffs.inc({ outcome: event.reason });
        break;
      case 'handed-over':
        this.#handOffs.inc({ outcome: 'given' });
        this.#close(event.spiR, 'handed over', false);
        break;
      case 'taken-over':
        this.#handOffs.inc({ outcome: 'taken' });
        break;
      case 'retransmit':
        this.#counters.retransmits.inc();
        break;
      case 'cookie-demanded':
        this.#counters.cookies.inc();
        break;
      case 'ike-rekeyed':
        this.#counters.rekeys.inc();
        break;
      case 'child-lost':
        this.#counters.lostChildren.inc();
        break;
      case 'moved':
        this.#counters.moves.inc();
        break;
      case 'internal-error':
        this.failed();
        break;
      case 'address-refused':
        this.#counters.addresses.inc();
        break;
    }
  }

  /** A bug outside of the core. */
  failed(): void {
    this.#counters.errors.inc();
  }

  /** Ids in hex of the keys that the ring holds now; series of others end. */
  useKeys(ids: readonly string[]): void {
    const now = new Set(ids);
    for (const counter of [this.#sealed, this.#opened]) {
      for (const id of this.#keyIds) if (!now.has(id)) counter.remove({ key_id: id });
      for (const id of now) counter.inc({ key_id: id }, 0);
    }
    this.#keyIds = now;
  }

  #close(spiR: string, why: ClosedWhy, established: boolean): void {
    const kind = this.#underWay.get(spiR);
    this.#underWay.delete(spiR);
    if (established) this.#closed.inc({ why: why.replaceAll(' ', '_') });
    else if (kind) this.#handshakes.inc({ kind, outcome: outcomeOf(why) });
  }

  /** A rate needs a beginning. */
  #beginAtZero(): void {
    for (const kind of KINDS) {
      this.#durations.zero({ kind });
      for (const outcome of OUTCOMES) this.#handshakes.inc({ kind, outcome }, 0);
    }
    for (const outcome of ['resumed', ...Object.keys(REFUSALS)]) this.#resumptions.inc({ outcome }, 0);
    for (const answer of ['yes', 'no']) this.#established.inc({ post_quantum: answer }, 0);
    for (const reason of Object.keys(DROPS)) this.#drops.inc({ reason }, 0);
    for (const outcome of ['given', 'taken', 'gone', 'silent', 'unreadable', 'crowded']) this.#handOffs.inc({ outcome }, 0);
  }
}

/** A peer may send any number. */
const registered = (notify: string): string => (/^[A-Z][A-Z0-9_]{0,40}$/.test(notify) ? notify : 'other');

function outcomeOf(why: ClosedWhy): Outcome {
  if (why === 'authentication failed') return 'authentication_failed';
  if (why === 'half-open too long') return 'timed_out';
  return why === 'handed over' ? 'handed_over' : 'failed';
}
