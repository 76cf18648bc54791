/** At most so many of something per span of time, so that a flood of causes is not a flood of log lines. */
export class RateLimit {
  readonly #limit: number;
  readonly #perMs: number;
  #began = Number.NEGATIVE_INFINITY;
  #count = 0;

  constructor(limit: number, perMs: number) {
    this.#limit = limit;
    this.#perMs = perMs;
  }

  /** How many were held back in the span before, when this one may pass; undefined when it may not. `now` in milliseconds. */
  pass(now: number): number | undefined {
    if (now - this.#began < this.#perMs) return ++this.#count <= this.#limit ? 0 : undefined;
    const heldBack = Math.max(0, this.#count - this.#limit);
    this.#began = now;
    this.#count = 1;
    return heldBack;
  }
}
