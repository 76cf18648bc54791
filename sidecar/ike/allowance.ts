/** So many a second, and a burst of as many more: a token bucket that is filled by the time that is handed in. */
import type { Instant } from './sa.ts';

export class Allowance {
  readonly #perSecond: number;
  readonly #burst: number;
  #left: number;
  #at: number | undefined;

  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#left = burst;
  }

  /** Takes one, if there is one. */
  take(now: Instant): boolean {
    const passed = Math.max(0, now - (this.#at ?? now));
    this.#at = now;
    this.#left = Math.min(this.#burst, this.#left + (passed * this.#perSecond) / 1_000);
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
