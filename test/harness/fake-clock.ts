/** A clock whose hands a test holds: nothing happens until it is moved, and then in order. */
import type { Clock } from '../../operator/clock.ts';

interface Alarm {
  readonly due: number;
  readonly callback: () => void;
}

export class FakeClock implements Clock {
  readonly #epoch: number;
  #elapsed = 0;
  readonly #alarms: Set<Alarm> = new Set();

  constructor(epoch = Date.UTC(2030, 0, 2)) {
    this.#epoch = epoch;
  }

  now(): number {
    return this.#epoch + this.#elapsed;
  }

  elapsed(): number {
    return this.#elapsed;
  }

  after(ms: number, callback: () => void): () => void {
    const alarm = { due: this.#elapsed + Math.max(0, ms), callback };
    this.#alarms.add(alarm);
    return () => this.#alarms.delete(alarm);
  }

  /** How many alarms are set. */
  get pending(): number {
    return this.#alarms.size;
  }

  /** Moves on, and lets everything that falls due happen with all its consequences before the next. */
  async advance(ms: number): Promise<void> {
    const end = this.#elapsed + ms;
    await settled();
    for (let next = this.#next(end); next; next = this.#next(end)) {
      this.#alarms.delete(next);
      this.#elapsed = Math.max(this.#elapsed, next.due);
      next.callback();
      await settled();
    }
    this.#elapsed = end;
  }

  #next(end: number): Alarm | undefined {
    return [...this.#alarms].filter(({ due }) => due <= end).sort((a, b) => a.due - b.due)[0];
  }
}

/** Everything that waits for nothing but promises has happened. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}
