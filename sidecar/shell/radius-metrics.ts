/** What RADIUS servers answer, and when they do not, for Prometheus. `server` has one value per server and port of the configuration. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Answered, Dropped, RadiusObserver, Unanswered } from '../radius/observer.ts';

/** By type, so that a new outcome does not compile until it stands here. */
const OUTCOMES: Readonly<Record<Answered | Unanswered, true>> = {
  accept: true,
  reject: true,
  challenge: true,
  accounted: true,
  alive: true,
  silent: true,
  crowded: true,
  abandoned: true,
  unresolved: true,
};

export class RadiusMetrics implements RadiusObserver {
  readonly #requests: Counter<'server' | 'outcome'>;
  readonly #durations: Histogram<'server'>;
  readonly #dropped: Counter<'server' | 'reason'>;
  readonly #passedOver: Gauge<'server'>;
  readonly #lost: Counter;
  #servers: ReadonlySet<string> = new Set();

  constructor(registry: Registry) {
    const registers = [registry];
    this.#requests = new Counter({
      name: 'rekindle_radius_requests_total',
      help: 'Requests to RADIUS servers that ended, by what came of them.',
      labelNames: ['server', 'outcome'],
      registers,
    });
    this.#durations = new Histogram({
      name: 'rekindle_radius_round_trip_seconds',
      help: 'From the first attempt at a request to its answer.',
      labelNames: ['server'],
      buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    });
    this.#dropped = new Counter({
      name: 'rekindle_radius_dropped_responses_total',
      help: 'Datagrams from RADIUS servers that were no answer to a request of ours.',
      labelNames: ['server', 'reason'],
      registers,
    });
    this.#passedOver = new Gauge({
      name: 'rekindle_radius_server_passed_over',
      help: '1 while a RADIUS server is not asked because it was silent.',
      labelNames: ['server'],
      registers,
    });
    this.#lost = new Counter({
      name: 'rekindle_radius_accounting_lost_total',
      help: 'Accounting records that no server has acknowledged and that were given up.',
      registers,
    });
  }

  /** A rate needs a beginning. Series of servers that have left the configuration end. */
  readonly configured = (servers: readonly string[]): void => {
    const before = this.#servers;
    this.#servers = new Set(servers);
    for (const server of before) if (!this.#servers.has(server)) this.#end(server);
    for (const server of this.#servers) if (!before.has(server)) this.#begin(server);
  };

  readonly answered = (server: string, outcome: Answered, ms: number): void => {
    if (!this.#servers.has(server)) return;
    this.#requests.inc({ server, outcome });
    this.#durations.observe({ server }, ms / 1_000);
  };

  readonly unanswered = (server: string, outcome: Unanswered): void => {
    if (this.#servers.has(server)) this.#requests.inc({ server, outcome });
  };

  readonly dropped = (server: string, reason: Dropped): void => {
    if (this.#servers.has(server)) this.#dropped.inc({ server, reason });
  };

  readonly passedOver = (server: string, yes: boolean): void => {
    if (this.#servers.has(server)) this.#passedOver.set({ server }, yes ? 1 : 0);
  };

  readonly lost = (records: number): void => this.#lost.inc(records);

  #begin(server: string): void {
    for (const outcome of Object.keys(OUTCOMES)) this.#requests.inc({ server, outcome }, 0);
    this.#passedOver.set({ server }, 0);
  }

  #end(server: string): void {
    for (const outcome of Object.keys(OUTCOMES)) this.#requests.remove({ server, outcome });
    for (const reason of ['malformed', 'not-authentic', 'unexpected']) this.#dropped.remove({ server, reason });
    this.#durations.remove({ server });
    this.#passedOver.remove({ server });
  }
}
