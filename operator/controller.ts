/** The loop: a key comes from the queue, its resource is observed, planned and acted upon, and looked at again when the plan says. */
import type { Log } from '../sidecar/process/log.ts';
import { act } from './act.ts';
import { ApiError } from './kube/api-error.ts';
import { Queue } from './kube/queue.ts';
import { observe, type Surroundings } from './observe.ts';
import { plan } from './plan/plan.ts';
import { concerned, type Key } from './relations.ts';
import { RESOURCE_KINDS, type ResourceKind } from './resource.ts';

export interface ControllerOptions extends Surroundings {
  readonly log: Log;
  /** From 0 to 1. */
  readonly random: () => number;
  /** How many keys of a kind are worked on at a time; one key never twice. */
  readonly workers: number;
  /** Looks at everything so often even if nothing happens. */
  readonly resyncMs: number;
  /** Something that no retry of ours may mend. */
  readonly failed?: (key: Key, error: unknown) => void;
  readonly reconciled?: (kind: ResourceKind, outcome: 'success' | 'error', seconds: number) => void;
}

/** A plan that asks to be called at once again and again must not starve the rest. */
const SHORTEST_WAIT_MS = 50;

export class Controller {
  readonly #options: ControllerOptions;
  readonly #queues: Readonly<Record<ResourceKind, Queue>>;

  constructor(options: ControllerOptions) {
    this.#options = options;
    const queue = () => new Queue(options.clock, options.random);
    this.#queues = { VpnGateway: queue(), TicketKey: queue() };
  }

  /** Works until the signal aborts, then finishes what it is at. */
  async run(signal: AbortSignal): Promise<void> {
    const { cluster, workers } = this.#options;
    const unwatch = cluster.watch((change) => {
      for (const key of concerned(change, cluster)) this.#queues[key.kind].add(textOf(key));
    });
    for (const kind of RESOURCE_KINDS) {
      for (const { metadata } of cluster.list(kind, {})) this.#queues[kind].add(textOf(metadata));
    }
    signal.addEventListener('abort', () => this.#close(), { once: true });
    if (signal.aborted) this.#close();
    await Promise.all(RESOURCE_KINDS.flatMap((kind) => Array.from({ length: workers }, () => this.#work(kind))));
    unwatch();
  }

  /** For what no watch tells: a resource that somebody knows to have news after so long. */
  lookAgain({ kind, namespace, name }: Key, inMs: number): void {
    this.#queues[kind].addAfter(textOf({ namespace, name }), inMs);
  }

  /** Keys that wait, per kind. */
  depth(kind: ResourceKind): number {
    return this.#queues[kind].length;
  }

  #close(): void {
    for (const kind of RESOURCE_KINDS) this.#queues[kind].close();
  }

  async #work(kind: ResourceKind): Promise<void> {
    const queue = this.#queues[kind];
    for (let text = await queue.take(); text !== undefined; text = await queue.take()) {
      await this.#reconcile(keyFrom(kind, text), text, queue);
      queue.done(text);
    }
  }

  async #reconcile(key: Key, text: string, queue: Queue): Promise<void> {
    const { clock, reconciled } = this.#options;
    const began = clock.elapsed();
    try {
      const waitMs = await this.#once(key);
      queue.succeeded(text);
      if (waitMs !== undefined) queue.addAfter(text, waitMs);
      reconciled?.(key.kind, 'success', (clock.elapsed() - began) / 1000);
    } catch (error) {
      this.#failed(key, error, queue.retry(text, error instanceof ApiError ? error.retryAfterMs : 0));
      reconciled?.(key.kind, 'error', (clock.elapsed() - began) / 1000);
    }
  }

  /** Answers after how long to look again; undefined: never, the resource is gone. */
  async #once(key: Key): Promise<number | undefined> {
    const { cluster, clock, log, resyncMs } = this.#options;
    const observed = await observe(key, this.#options);
    if (!observed) return undefined;
    const todo = plan(observed);
    const { again, done } = await act(todo, observed, cluster);
    if (done.length > 0) log.info({ kind: key.kind, namespace: key.namespace, name: key.name, done }, 'reconciled');
    const planned = todo.checkAgainAt === undefined ? resyncMs : todo.checkAgainAt - clock.now();
    return Math.max(SHORTEST_WAIT_MS, Math.min(planned, resyncMs, again?.inMs ?? resyncMs));
  }

  #failed({ kind, namespace, name }: Key, error: unknown, waitMs: number): void {
    const { log } = this.#options;
    const fields = { kind, namespace, name, retryMs: Math.round(waitMs) };
    // An API failure is part of life; anything else is a fault of ours, and its stack tells where.
    if (error instanceof ApiError) log.warn({ ...fields, status: error.status, reason: error.reason }, error.message);
    else if (error instanceof Error && error.name === 'NotLeading') log.debug(fields, error.message);
    else {
      log.error({ ...fields, err: error }, 'reconciling failed');
      this.#options.failed?.({ kind, namespace, name }, error);
    }
  }
}

const textOf = ({ namespace, name }: { readonly namespace: string; readonly name: string }): string => `${namespace}/${name}`;

function keyFrom(kind: ResourceKind, text: string): Key {
  const [namespace = '', name = ''] = text.split('/');
  return { kind, namespace, name };
}
