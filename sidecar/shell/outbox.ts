/** What is said to peers, in order; what promises something waits until that is done. */
import type { Path } from '../ike/sa.ts';
import type { Bytes } from '../ike/wire/bytes.ts';

type Send = (bytes: Bytes, path: Path) => void;

export class Outbox {
  readonly #send: Send;
  /** By the peer's address: when the last of what waits for it has left. */
  readonly #waiting = new Map<string, Promise<void>>();

  constructor(send: Send) {
    this.#send = send;
  }

  /** Leaves once `promised` is fulfilled, which never rejects, and after what was said to this peer before: also a repetition of the same. */
  send(bytes: Bytes, path: Path, promised: Promise<unknown> | undefined): void {
    const { remote } = path;
    const before = this.#waiting.get(remote);
    if (!promised && !before) {
      this.#send(bytes, path);
      return;
    }
    const left = Promise.all([before, promised]).then(() => {
      if (this.#waiting.get(remote) === left) this.#waiting.delete(remote);
      this.#send(bytes, path);
    });
    this.#waiting.set(remote, left);
  }
}
