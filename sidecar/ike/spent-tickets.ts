/** One-time use of tickets (RFC 5723 §4.3.1): the ids that this gateway has seen used, until they would have expired anyway. */
import { type Instant, later } from './sa.ts';
import { type Bytes, hex } from './wire/bytes.ts';

const PRUNE_MS = 60_000;

/** Bounded: when it is full, the oldest entry is forgotten and counted, so that an operator can see that the bound is too small. */
export class SpentTickets {
  /** Ticket id (hex) → expiry, in the order of use. */
  readonly #until = new Map<string, Instant>();
  #max: number;
  #forgotten = 0;
  #pruneAt = 0 as Instant;

  constructor(max = 0) {
    this.#max = max;
  }

  get size(): number {
    return this.#until.size;
  }

  /** How many ids were dropped before their ticket expired: each could be used once more. */
  get forgotten(): number {
    return this.#forgotten;
  }

  /** `max` ids are remembered from now on; 0 forgets all. */
  configure(max: number): void {
    this.#max = max;
    this.#bound();
  }

  /** The ticket with this id was used; remembered until it expires. */
  spend(id: Bytes, until: Instant): void {
    const key = hex(id);
    this.#until.delete(key); // Used again: the newest again.
    this.#until.set(key, until);
    this.#bound();
  }

  has(id: Bytes): boolean {
    return this.#until.has(hex(id));
  }

  /** Forgets what has expired; looks at most once a minute, so that it may be called at every step. */
  prune(now: Instant): void {
    if (now < this.#pruneAt) return;
    this.#pruneAt = later(now, PRUNE_MS);
    for (const [key, until] of this.#until) if (until <= now) this.#until.delete(key);
  }

  #bound(): void {
    for (const key of this.#until.keys()) {
      if (this.#until.size <= this.#max) return;
      this.#until.delete(key);
      this.#forgotten += 1;
    }
  }
}
