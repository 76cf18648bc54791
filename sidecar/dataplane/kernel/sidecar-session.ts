/** One connected sidecar after its `hello`: its requests are begun in order and answered in order, a bounded number at a time. */
import { type FromAgent, MOST_ORDERS, type Outcome, type ToAgent } from '../../contract/agent-protocol.ts';
import type { InstallOrder } from '../../contract/dataplane.ts';
import type { MessageChannel } from '../agent/message-channel.ts';
import { NoMessage } from '../agent/messages.ts';
import type { ChildrenInForce } from './children-in-force.ts';
import { sentence } from './sentence.ts';

export type AgentChannel = MessageChannel<ToAgent, FromAgent>;

export interface SessionOptions {
  readonly channel: AgentChannel;
  readonly children: ChildrenInForce;
  /** All children were named, and the kernel has these and no others. */
  readonly synced: () => void;
}

type Sync = Extract<ToAgent, { type: 'sync' }>;

/** As many requests are under way at one time; the sidecar's next ones wait in its socket. */
const MOST_UNDER_WAY = 64;
/** Children that a `sync` may name: more than an agent ever allows. */
const MOST_NAMED = 1 << 19;

export class SidecarSession {
  readonly #options: SessionOptions;
  /** Settled when the last request that was begun is answered. */
  #answered: Promise<void> = Promise.resolve();
  #underWay = 0;
  #parts: Sync[] = [];
  #named = 0;
  #synced = false;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** Done when the request has begun and the next may come. @throws NoMessage for one that has no place here */
  async take(message: ToAgent): Promise<void> {
    switch (message.type) {
      case 'sync':
        return this.#sync(message);
      case 'orders':
        return this.#begin(message.id, () => this.#options.children.carryOut(message.orders));
      case 'settle':
        return this.#begin(message.id, () => this.#options.children.settle().then(() => []));
      case 'hello':
      case 'tun':
        throw new NoMessage(`message: type: ${message.type} after hello; connect anew for it`);
    }
  }

  /** Parts are answered when the whole is known. */
  async #sync(part: Sync): Promise<void> {
    // Parts that count for nothing would pile up without end.
    if (part.children.length === 0 && !part.last)
      throw new NoMessage('message: children: this part of a sync names no child and is not the last');
    this.#named += part.children.length;
    if (this.#named > MOST_NAMED) throw new NoMessage(`message: children: more than ${MOST_NAMED} in one sync`);
    this.#parts.push(part);
    if (!part.last) return;
    const parts = this.#parts;
    this.#parts = [];
    this.#named = 0;
    this.#synced = true;
    const reconciled = this.#reconcile(parts);
    let at = 0;
    for (const { id, children } of parts) {
      const from = at;
      at += children.length;
      await this.#answer(
        id,
        reconciled.then((outcomes) => outcomes.slice(from, from + children.length)),
      );
    }
  }

  async #reconcile(parts: readonly Sync[]): Promise<readonly Outcome[]> {
    const children: readonly InstallOrder[] = parts.flatMap((part) => part.children);
    const outcomes = await this.#options.children.reconcile(children);
    this.#options.synced();
    return outcomes;
  }

  async #begin(id: number, request: () => Promise<readonly Outcome[]>): Promise<void> {
    if (!this.#synced || this.#parts.length > 0) throw new NoMessage('message: type: a request before the end of sync');
    await this.#answer(id, request());
  }

  /** Done when the next request may begin. */
  async #answer(id: number, work: Promise<readonly Outcome[]>): Promise<void> {
    const { channel } = this.#options;
    const before = this.#answered;
    this.#underWay++;
    this.#answered = (async () => {
      try {
        const outcomes = await work;
        await before;
        channel.send({ type: 'done', id, outcomes: outcomes.slice(0, MOST_ORDERS).map(tellable) });
      } catch (error) {
        channel.close(new Error(`a request failed: ${error instanceof Error ? error.message : error}`));
      } finally {
        this.#underWay--;
      }
    })();
    if (this.#underWay >= MOST_UNDER_WAY) await before;
  }
}

const tellable = (outcome: Outcome): Outcome => (outcome.ok ? outcome : { ...outcome, reason: sentence(outcome.reason) });
