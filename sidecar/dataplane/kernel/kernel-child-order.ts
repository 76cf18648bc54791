/** Calls in the order in which they are made; those of one kind that follow each other and are about different children at the same time. */
export class Turns {
  #group: Group = { kind: '', keys: new Set(), start: Promise.resolve(), running: [] };

  /** Of two calls with one key the second begins when the first has ended, and a call of another kind when all before it have. */
  run<T>(kind: string, key: number, work: () => Promise<T>): Promise<T> {
    if (this.#group.kind !== kind || this.#group.keys.has(key)) this.#group = after(this.#group, kind);
    this.#group.keys.add(key);
    const running = this.#group.start.then(work);
    this.#group.running.push(running);
    return running;
  }
}

interface Group {
  readonly kind: string;
  readonly keys: Set<number>;
  readonly start: Promise<unknown>;
  readonly running: Promise<unknown>[];
}

function after(group: Group, kind: string): Group {
  // Not before the last one has joined: nothing joins a group that is no longer the newest.
  const start = group.start.then(() => Promise.allSettled(group.running));
  return { kind, keys: new Set(), start, running: [] };
}
