/** What is said to peers, in order; what promises something waits until that is done. */
import type { Path } from '../ike/sa.ts';
import type { Bytes } from '../ike/wire/bytes.ts';

type Send = (bytes: Bytes, path: Path) => void;

/** Datagrams that wait for one peer; whoever repeats himself meanwhile does so once more afterwards. */
const MOST_WAITING = 64;

interface Waiting {
  /** When the last one has left. */
  left: Promise<void>;
  count: number;
}

export class Outbox {
  readonly #send: Send;
  /** By the peer's address. */
  readonly #waiting = new Map<string, Waiting>();

  constructor(send: Send) {
    this.#send = send;
  }

  /**
   * Leaves once `promised` is fulfilled, which never rejects, and after what was said to this peer before: also a repetition of the same.
   * What is too much is dropped, as any network may.
   */
  send(bytes: Bytes, path: Path, promised: Promise<unknown> | undefined): void {
    const { remote } = path;
    const before = this.#waiting.get(remote);
    if (!promised && !before) {
      this.#send(bytes, path);
      return;
    }
    const waiting = before ?? { left: Promise.resolve(), count: 0 };
    if (waiting.count === MOST_WAITING) return;
    waiting.count++;
    this.#waiting.set(remote, waiting);
    waiting.left = Promise.all([waiting.left, promised]).then(() => {
      if (--waiting.count === 0) this.#waiting.delete(remote);
      this.#send(bytes, path);
    });
  }
}
