/**
 * Keeps a Cache equal to what the API server has: list, then watch with bookmarks from there on, again and again.
 * Every error but 410 is waited out with growing pauses; after 410 (our version is too old) or a broken watch everything is listed anew
 * or the watch is resumed where it was.
 */
import { type Clock, pause } from '../clock.ts';
import type { Manifest } from '../plan/plan.ts';
import { ApiError } from './api-error.ts';
import type { Cache } from './cache.ts';
import { collectionPath, KINDS, type Kind } from './kind.ts';
import type { Transport } from './transport.ts';

export interface ListWatchOptions {
  readonly kind: Kind;
  readonly namespace: string | undefined;
  /** Kubernetes' own notation. */
  readonly labelSelector?: string;
  readonly cache: Cache;
  readonly transport: Transport;
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly failed: (kind: Kind, error: ApiError) => void;
}

const PAGE = 500;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 30_000;
/** The server ends a watch after this; it sends a bookmark about every minute, so longer silence means a dead connection. */
const WATCH_SECONDS = 300;
const SILENCE_MS = 100_000;

export class ListWatch {
  readonly #options: ListWatchOptions;
  readonly #synced: PromiseWithResolvers<void> = Promise.withResolvers();
  #version: string | undefined;
  #failures = 0;

  constructor(options: ListWatchOptions) {
    this.#options = options;
  }

  /** Resolves when the first list is in the cache. */
  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  /** Until the signal aborts; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (this.#version === undefined) await this.#list(signal);
        await this.#watch(signal);
      } catch (error) {
        if (signal.aborted) return;
        await this.#recover(asApiError(error), signal);
      }
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const objects: Manifest[] = [];
    let page: ListPage = { version: undefined, items: [], next: undefined };
    do {
      page = readPage(await this.#get({ limit: `${PAGE}`, continue: page.next }, signal), this.#options.kind);
      objects.push(...page.items);
    } while (page.next);
    this.#options.cache.replace(objects);
    this.#version = page.version;
    this.#synced.resolve();
  }

  #get(query: Readonly<Record<string, string | undefined>>, signal: AbortSignal): Promise<unknown> {
    return this.#options.transport.call({ method: 'GET', path: this.#path(), query: { ...this.#selector(), ...query }, signal });
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const query = {
      ...this.#selector(),
      watch: '1',
      allowWatchBookmarks: 'true',
      timeoutSeconds: `${Math.round(WATCH_SECONDS * (1 + this.#options.random()))}`,
      resourceVersion: this.#version,
    };
    const began = this.#options.clock.elapsed();
    for await (const line of this.#options.transport.lines({ method: 'GET', path: this.#path(), query, signal }, SILENCE_MS)) {
      this.#take(line);
      this.#failures = 0;
    }
    // A proxy that ends every watch at once must not make a busy loop.
    if (this.#options.clock.elapsed() - began < FIRST_PAUSE_MS) await this.#wait(0, signal);
  }

  #take(line: unknown): void {
    const { type, object } = readWatchEvent(line, this.#options.kind);
    if (type === 'DELETED') this.#options.cache.remove(object);
    else if (type !== 'BOOKMARK') this.#options.cache.set(object);
    this.#version = object.metadata.resourceVersion;
  }

  async #recover(error: ApiError, signal: AbortSignal): Promise<void> {
    const expired = error.status === 410;
    // The version that we ask for is gone, or what the server sends cannot be understood: only a list helps.
    if (expired || error.reason === 'Unintelligible') this.#version = undefined;
    if (expired && this.#failures === 0) {
      this.#failures = 1;
      return;
    }
    this.#options.failed(this.#options.kind, error);
    await this.#wait(error.retryAfterMs ?? 0, signal);
  }

  #wait(atLeastMs: number, signal: AbortSignal): Promise<void> {
    const ceiling = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.#failures++, 20));
    return pause(this.#options.clock, Math.max(atLeastMs, ceiling * (0.5 + this.#options.random() / 2)), signal);
  }

  #path(): string {
    return collectionPath(this.#options.kind, this.#options.namespace);
  }

  #selector(): Readonly<Record<string, string | undefined>> {
    return { labelSelector: this.#options.labelSelector };
  }
}

interface ListPage {
  readonly version: string | undefined;
  readonly items: readonly Manifest[];
  readonly next: string | undefined;
}

/** Items of a list come without kind and apiVersion. */
export function readPage(value: unknown, kind: Kind): ListPage {
  if (!isRecord(value) || !Array.isArray(value['items']) || !isRecord(value['metadata'])) throw unintelligible('a list');
  const { resourceVersion, continue: next } = value['metadata'];
  return { version: text(resourceVersion), items: value['items'].map((item) => readObject(item, kind)), next: text(next) };
}

function readWatchEvent(value: unknown, kind: Kind): { readonly type: string; readonly object: Manifest } {
  if (!isRecord(value) || typeof value['type'] !== 'string' || !isRecord(value['object'])) throw unintelligible('a watch event');
  if (value['type'] === 'ERROR') throw watchError(value['object']);
  return { type: value['type'], object: readObject(value['object'], kind) };
}

function watchError({ code, reason, message }: Readonly<Record<string, unknown>>): ApiError {
  return new ApiError(typeof code === 'number' ? code : 0, text(reason) ?? 'Unknown', text(message) ?? 'the watch ended');
}

export function readObject(value: unknown, kind: Kind): Manifest {
  if (!isRecord(value) || !isRecord(value['metadata'])) throw unintelligible('an object');
  const { metadata } = value;
  const { name, namespace } = metadata;
  return {
    ...value,
    apiVersion: text(value['apiVersion']) ?? KINDS[kind].apiVersion,
    kind,
    metadata: { ...metadata, name: text(name) ?? '', namespace: text(namespace) ?? '' },
  };
}

const asApiError = (error: unknown): ApiError =>
  error instanceof ApiError ? error : new ApiError(0, 'Unintelligible', String(error));

const unintelligible = (what: string): ApiError =>
  new ApiError(0, 'Unintelligible', `the server sent something else than ${what}`);

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null;
