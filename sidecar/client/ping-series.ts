/** Pings at a steady pace, answered or not, until there were enough of them. */
import { formatAddress } from '../contract/address.ts';
import type { Bytes } from '../ike/wire/bytes.ts';
import type { After } from '../shell/loop.ts';
import { noPings, type PingResult, type PingSummary, withPing } from './ping.ts';

export interface PingPlan {
  readonly address: Bytes;
  readonly intervalMs: number;
  /** Undefined: without end. */
  readonly count: number | undefined;
}

export class PingSeries {
  readonly #plan: PingPlan;
  readonly #ping: (to: Bytes) => Promise<PingResult>;
  readonly #after: After;
  readonly #done = Promise.withResolvers<PingSummary>();
  #cancel = (): void => {};
  #begun = 0;
  #summary: PingSummary;

  constructor(plan: PingPlan, ping: (to: Bytes) => Promise<PingResult>, after: After) {
    this.#plan = plan;
    this.#ping = ping;
    this.#after = after;
    this.#summary = noPings(formatAddress(plan.address));
  }

  /** What came of them so far. */
  get summary(): PingSummary {
    return this.#summary;
  }

  /** Done when the last of `count` was answered or lost. */
  run(): Promise<PingSummary> {
    this.#next();
    return this.#done.promise;
  }

  stop(): void {
    this.#cancel();
  }

  #next(): void {
    if (this.#begun === this.#plan.count) return;
    this.#begun++;
    void this.#ping(this.#plan.address).then((result) => this.#take(result));
    this.#cancel = this.#after(this.#plan.intervalMs, () => this.#next());
  }

  #take(result: PingResult): void {
    this.#summary = withPing(this.#summary, result);
    if (this.#summary.sent === this.#plan.count) this.#done.resolve(this.#summary);
  }
}
