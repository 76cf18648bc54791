/** One-time use of tickets (RFC 5723 §4.3.1): the ids that this gateway has seen used, until they would have expired anyway. */
import { type Instant, later } from './sa.ts';
import { type Bytes, hex, unhex } from './wire/bytes.ts';

const PRUNE_MS = 60_000;
/** The siblings are told as fast as they can be; beyond this many the oldest news are dropped. */
const MAX_NEWS = 16_384;

/** Bounded: when it is full, the oldest entry is forgotten and counted, so that an operator can see that the bound is too small. */
export class SpentTickets {
  /** Ticket id (hex) → expiry, in the order of use. */
  readonly #until = new Map<string, Instant>();
  /** Ids that the siblings have not been told of; what they told us is none of it. */
  readonly #news = new Set<string>();
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

  /** The ticket with this id was used here; remembered until it expires. */
  spend(id: Bytes, until: Instant): void {
    this.hear(id, until);
    this.#news.delete(hex(id));
    this.#news.add(hex(id));
    for (const oldest of this.#news) {
      if (this.#news.size <= MAX_NEWS) return;
      this.#news.delete(oldest);
    }
  }

  /** It was used at a sibling. */
  hear(id: Bytes, until: Instant): void {
    const key = hex(id);
    this.#until.delete(key); // Used again: the newest again.
    this.#until.set(key, until);
    this.#bound();
  }

  get hasNews(): boolean {
    return this.#news.size > 0;
  }

  /** What was spent here since the last call, at most `most` of it, the oldest first. */
  takeNew(most: number): { readonly id: Bytes; readonly until: Instant }[] {
    const taken = [...this.#news].slice(0, most);
    return taken.flatMap((key) => {
      this.#news.delete(key);
      const until = this.#until.get(key);
      return until === undefined ? [] : [{ id: unhex(key), until }];
    });
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
