/** Public-key work that came to nothing: it counts towards the demand for cookies as half-open SAs do, and is forgotten with time. */
import type { Instant } from './sa.ts';

/** After so long a half of it is forgotten. */
const HALF_LIFE_MS = 5_000;

export class Strain {
  #value = 0;
  #at = 0;

  /** A key exchange begins: as long as no SA has come of it, it was in vain. */
  add(now: Instant): void {
    this.#value = this.level(now) + 1;
    this.#at = now;
  }

  /** An SA came of it. */
  relieve(now: Instant): void {
    this.#value = Math.max(0, this.level(now) - 1);
    this.#at = now;
  }

  level(now: Instant): number {
    return this.#value * 0.5 ** (Math.max(0, now - this.#at) / HALF_LIFE_MS);
  }
}
