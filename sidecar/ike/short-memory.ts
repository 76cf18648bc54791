/** What is worth remembering for a while: each thing until its instant, all together bounded in number and bytes; the oldest goes first. */
import type { Instant } from './sa.ts';

interface Remembered<V> {
  readonly value: V;
  readonly until: Instant;
  readonly bytes: number;
}

export class ShortMemory<V> {
  readonly #known = new Map<string, Remembered<V>>();
  readonly #most: number;
  readonly #mostBytes: number;
  #bytes = 0;

  constructor(most: number, mostBytes = Number.POSITIVE_INFINITY) {
    this.#most = most;
    this.#mostBytes = mostBytes;
  }

  get size(): number {
    return this.#known.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string, now: Instant): V | undefined {
    const known = this.#known.get(key);
    return known && known.until > now ? known.value : undefined;
  }

  /** When it is forgotten. */
  until(key: string): Instant | undefined {
    return this.#known.get(key)?.until;
  }

  /** `bytes`: what the value counts for. */
  set(key: string, value: V, until: Instant, bytes = 0): void {
    this.delete(key);
    this.#known.set(key, { value, until, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= this.#most && this.#bytes <= this.#mostBytes) return;
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    const known = this.#known.get(key);
    if (!known) return;
    this.#known.delete(key);
    this.#bytes -= known.bytes;
  }

  /** Forgets what has ended. */
  prune(now: Instant): void {
    for (const [key, { until }] of this.#known) if (until <= now) this.delete(key);
  }
}
