/** Keys that need work: each at most once at a time, never lost while it is worked on, failing ones less and less often. */
import type { Clock } from '../clock.ts';

export interface Backoff {
  readonly firstMs: number;
  readonly longestMs: number;
}

export const KEY_BACKOFF: Backoff = { firstMs: 50, longestMs: 300_000 };

export class Queue {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #backoff: Backoff;
  readonly #ready: Set<string> = new Set();
  readonly #working: Set<string> = new Set();
  /** Added while it was worked on: once more when that is done. */
  readonly #dirty: Set<string> = new Set();
  readonly #later: Map<string, { readonly due: number; readonly cancel: () => void }> = new Map();
  readonly #failures: Map<string, number> = new Map();
  readonly #takers: ((key: string | undefined) => void)[] = [];
  #closed = false;

  /** `random` answers numbers from 0 to 1. */
  constructor(clock: Clock, random: () => number, backoff: Backoff = KEY_BACKOFF) {
    this.#clock = clock;
    this.#random = random;
    this.#backoff = backoff;
  }

  /** Waiting keys, not counting those put off until later. */
  get length(): number {
    return this.#ready.size + this.#dirty.size;
  }

  add(key: string): void {
    if (this.#closed) return;
    this.#putOff(key)?.cancel();
    this.#later.delete(key);
    if (this.#working.has(key)) this.#dirty.add(key);
    else this.#ready.add(key);
    this.#serve();
  }

  /** The earliest of several wishes counts. */
  addAfter(key: string, ms: number): void {
    if (ms <= 0) this.add(key);
    else if (!this.#closed) this.#addLater(key, ms);
  }

  #addLater(key: string, ms: number): void {
    const due = this.#clock.elapsed() + ms;
    const known = this.#putOff(key);
    if (known && known.due <= due) return;
    known?.cancel();
    this.#later.set(key, { due, cancel: this.#clock.after(ms, () => this.add(key)) });
  }

  /** Puts the key off for longer each time, with jitter so that many do not come back together. Answers for how long. */
  retry(key: string, atLeastMs = 0): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const ceiling = Math.min(this.#backoff.longestMs, this.#backoff.firstMs * 2 ** Math.min(failures, 30));
    const wait = Math.max(atLeastMs, ceiling * (0.5 + this.#random() / 2));
    this.addAfter(key, wait);
    return wait;
  }

  /** It worked: the next failure starts small again. */
  succeeded(key: string): void {
    this.#failures.delete(key);
  }

  /** The next key, which is the caller's until `done`; undefined when the queue is closed. */
  take(): Promise<string | undefined> {
    return new Promise((resolve) => {
      this.#takers.push(resolve);
      this.#serve();
    });
  }

  done(key: string): void {
    this.#working.delete(key);
    if (this.#dirty.delete(key)) this.add(key);
  }

  close(): void {
    this.#closed = true;
    for (const { cancel } of this.#later.values()) cancel();
    this.#later.clear();
    this.#ready.clear();
    this.#dirty.clear();
    this.#serve();
  }

  #putOff(key: string): { readonly due: number; readonly cancel: () => void } | undefined {
    return this.#later.get(key);
  }

  #serve(): void {
    while (this.#takers.length > 0) {
      const [key] = this.#ready;
      if (key === undefined && !this.#closed) return;
      if (key !== undefined) {
        this.#ready.delete(key);
        this.#working.add(key);
      }
      this.#takers.shift()?.(key);
    }
  }
}
