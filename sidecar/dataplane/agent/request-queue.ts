/** Requests of the sidecar to the agent: orders that wait go together in one message, and each gets its own outcome. */
import { MAX_FRAME_BYTES, MOST_ORDERS, type Outcome, type ToAgent } from '../../contract/agent-protocol.ts';
import type { DataplaneOrder, InstallOrder } from '../../contract/dataplane.ts';
import { NoMessage } from './messages.ts';

/** Undefined where it asks for nothing but that all before it is done. */
interface Waiting {
  readonly order: DataplaneOrder | undefined;
  readonly done: (outcome: Outcome) => void;
  readonly failed: (error: Error) => void;
}

interface Sent {
  readonly id: number;
  readonly outcomes: number;
  readonly answered: (outcomes: readonly Outcome[]) => void;
  readonly failed: (error: Error) => void;
}

const DONE: Outcome = { ok: true };

export class RequestQueue {
  #waiting: Waiting[] = [];
  readonly #sent: Sent[] = [];
  #lastId = 0;

  /** Orders that have not been sent. */
  get length(): number {
    return this.#waiting.length;
  }

  /** Requests that have been sent and not been answered. */
  get unanswered(): number {
    return this.#sent.length;
  }

  order(order: DataplaneOrder | undefined): Promise<Outcome> {
    return new Promise((done, failed) => this.#waiting.push({ order, done, failed }));
  }

  /** The next message: as many orders as fit into one, in order, or one `settle` for all who ask for it in a row. Undefined: nothing waits. */
  next(): ToAgent | undefined {
    const [first] = this.#waiting;
    if (!first) return undefined;
    const count = first.order ? fitting(this.#waiting.slice(0, MOST_ORDERS).map(({ order }) => order)) : settling(this.#waiting);
    const taken = this.#waiting.splice(0, count);
    const id = this.#expect(
      first.order ? count : 0,
      (outcomes) => taken.forEach(({ done }, index) => void done(outcomes[index] ?? DONE)),
      (error) => taken.forEach(({ failed }) => void failed(error)),
    );
    const orders = taken.flatMap(({ order }) => order ?? []);
    return first.order ? { type: 'orders', id, orders } : { type: 'settle', id };
  }

  /** The messages that name all children; `answered` is called for each child, in order. */
  *sync(children: readonly InstallOrder[], answered: (order: InstallOrder, outcome: Outcome) => void): Generator<ToAgent> {
    let at = 0;
    do {
      const part = children.slice(at, at + fitting(children.slice(at, at + MOST_ORDERS)));
      at += part.length;
      const id = this.#expect(
        part.length,
        (outcomes) => part.forEach((order, index) => void answered(order, outcomes[index] ?? DONE)),
        () => {},
      );
      yield { type: 'sync', id, children: part, last: at === children.length };
    } while (at < children.length);
  }

  /** @throws NoMessage when it answers another request than the next */
  answer(id: number, outcomes: readonly Outcome[]): void {
    const sent = this.#sent.shift();
    if (sent?.id !== id || sent.outcomes !== outcomes.length)
      throw new NoMessage(
        `message: done: of request ${id} with ${outcomes.length} outcomes; ${sent?.id} with ${sent?.outcomes} is next`,
      );
    sent.answered(outcomes);
  }

  /** Everything that was asked for fails. */
  fail(error: Error): void {
    for (const { failed } of this.#sent.splice(0)) failed(error);
    for (const { failed } of this.#waiting.splice(0)) failed(error);
  }

  #expect(outcomes: number, answered: Sent['answered'], failed: Sent['failed']): number {
    const id = ++this.#lastId;
    this.#sent.push({ id, outcomes, answered, failed });
    return id;
  }
}

/** How many at the beginning ask for nothing else. */
function settling(waiting: readonly Waiting[]): number {
  const end = waiting.findIndex(({ order }) => order !== undefined);
  return end < 0 ? waiting.length : end;
}

/** How many of them go into one message: in numbers, and in bytes by an estimate from above. */
function fitting(orders: readonly (DataplaneOrder | undefined)[]): number {
  let bytes = 0;
  let count = 0;
  for (const order of orders) {
    bytes += order ? sizeOf(order) : 0;
    if (!order || (bytes > MAX_FRAME_BYTES / 2 && count > 0)) break;
    count++;
  }
  return count;
}

const sizeOf = (order: DataplaneOrder): number =>
  order.order === 'install'
    ? 1_024 + order.child.peer.data.length + 128 * (order.child.local.length + order.child.remote.length)
    : 256;
