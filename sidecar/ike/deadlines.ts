/** The table of timers: one named instant per SA, the earliest first. A binary heap whose stale entries are skipped when they surface. */
import type { Instant } from './sa.ts';
import type { Deadline } from './step.ts';

interface Entry extends Deadline {
  readonly spi: string;
}

export class Deadlines {
  readonly #current = new Map<string, Entry>();
  #heap: Entry[] = [];

  /** Replaces what was set for this SPI. */
  set(spi: string, deadline: Deadline): void {
    const known = this.#current.get(spi);
    if (known?.at === deadline.at) return;
    if (deadline.at === Number.POSITIVE_INFINITY) {
      this.#current.delete(spi);
      return;
    }
    const entry = { ...deadline, spi };
    this.#current.set(spi, entry);
    this.#push(entry);
    if (this.#heap.length > 2 * this.#current.size + 64) this.#rebuild();
  }

  delete(spi: string): void {
    this.#current.delete(spi);
  }

  next(): Deadline | undefined {
    for (let top = this.#heap[0]; top; top = this.#heap[0]) {
      if (this.#current.get(top.spi) === top) return top;
      this.#pop();
    }
    return undefined;
  }

  /** SPIs whose instant has come, the earliest first and no more than `limit`; each is taken out. */
  take(now: Instant, limit = Number.POSITIVE_INFINITY): string[] {
    const due: string[] = [];
    for (let top = this.next(); top && top.at <= now && due.length < limit; top = this.next()) {
      const { spi } = this.#heap[0] as Entry;
      this.#pop();
      this.#current.delete(spi);
      due.push(spi);
    }
    return due;
  }

  #push(entry: Entry): void {
    let at = this.#heap.length;
    this.#heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#swapIfLater(parent, at)) return;
      at = parent;
    }
  }

  #pop(): void {
    const last = this.#heap.pop();
    if (!last || this.#heap.length === 0) return;
    this.#heap[0] = last;
    for (let at = 0; ; ) {
      const [left, right] = [2 * at + 1, 2 * at + 2];
      const child = this.#at(right) < this.#at(left) ? right : left;
      if (!this.#swapIfLater(at, child)) return;
      at = child;
    }
  }

  #at = (index: number): number => this.#heap[index]?.at ?? Number.POSITIVE_INFINITY;

  #swapIfLater(upper: number, lower: number): boolean {
    const [a, b] = [this.#heap[upper], this.#heap[lower]];
    if (!a || !b || a.at <= b.at) return false;
    this.#heap[upper] = b;
    this.#heap[lower] = a;
    return true;
  }

  #rebuild(): void {
    this.#heap = [...this.#current.values()].sort((a, b) => a.at - b.at);
  }
}
