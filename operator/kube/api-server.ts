/** The Cluster port over a real API server: caches kept by ListWatch, writes that first make sure that we still lead. */
import type { Clock } from '../clock.ts';
import { GATEWAY_LABEL } from '../plan/names.ts';
import type { GuardedWrite, Manifest, PlannedEvent, PodRef, Ref } from '../plan/plan.ts';
import { type ApiError, isGone, isStatus } from './api-error.ts';
import { Cache } from './cache.ts';
import { type Change, type Cluster, type Existing, FIELD_MANAGER, type Regarding, type Selection } from './cluster.ts';
import { EventRecorder } from './event-recorder.ts';
import { collectionPath, type Kind, kindOf, objectPath } from './kind.ts';
import { ListWatch, readObject, readPage } from './list-watch.ts';
import type { Transport } from './transport.ts';

export interface ApiServerOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
  /** undefined: the whole cluster. */
  readonly namespace: string | undefined;
  /** Throws when this process does not lead (any more); called before each write. */
  readonly mayWrite: () => void;
  readonly failed: (kind: Kind, error: ApiError) => void;
}

/** What is cached, and how little of it: never a Secret of a user. */
const CACHED: readonly { readonly kind: Kind; readonly labelSelector?: string }[] = [
  { kind: 'VpnGateway' },
  { kind: 'TicketKey' },
  { kind: 'Pod', labelSelector: GATEWAY_LABEL },
  { kind: 'Secret', labelSelector: 'app.kubernetes.io/managed-by=rekindle-operator' },
  { kind: 'Service', labelSelector: GATEWAY_LABEL },
  { kind: 'ServiceAccount', labelSelector: GATEWAY_LABEL },
  { kind: 'StatefulSet', labelSelector: GATEWAY_LABEL },
  { kind: 'PodDisruptionBudget', labelSelector: GATEWAY_LABEL },
  { kind: 'NetworkPolicy', labelSelector: GATEWAY_LABEL },
];

const APPLY = 'application/apply-patch+yaml';
const MERGE = 'application/merge-patch+json';

export class ApiServerCluster implements Cluster {
  readonly #transport: Transport;
  readonly #namespace: string | undefined;
  readonly #mayWrite: () => void;
  readonly #caches: Map<Kind, Cache> = new Map();
  readonly #watches: readonly ListWatch[];
  readonly #listeners: Set<(change: Change) => void> = new Set();
  readonly #recorder: EventRecorder;

  constructor(options: ApiServerOptions) {
    this.#transport = options.transport;
    this.#namespace = options.namespace;
    this.#mayWrite = options.mayWrite;
    this.#recorder = new EventRecorder(this.#transport, options.clock);
    this.#watches = CACHED.map(({ kind, ...selector }) => {
      const cache = new Cache(kind, (change) => this.#tell(change));
      this.#caches.set(kind, cache);
      return new ListWatch({ ...options, kind, ...selector, cache });
    });
  }

  /** Resolves when every cache is full; the caches stay current until the signal aborts. */
  async start(signal: AbortSignal): Promise<void> {
    for (const watch of this.#watches) void watch.run(signal);
    await Promise.all(this.#watches.map((watch) => watch.synced));
  }

  get(ref: Ref): Manifest | undefined {
    return this.#cache(kindOf(ref)).get(ref.namespace, ref.name);
  }

  list(kind: Kind, selection: Selection): readonly Manifest[] {
    return this.#cache(kind).list(selection);
  }

  async read(ref: Ref): Promise<Manifest | undefined> {
    try {
      return readObject(await this.#transport.call({ method: 'GET', path: objectPath(ref) }), kindOf(ref));
    } catch (error) {
      if (isStatus(error, 404)) return undefined;
      throw error;
    }
  }

  readAll(kind: Kind, { namespace = this.#namespace, labels = {} }: Selection): Promise<readonly Manifest[]> {
    const labelSelector = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
    return this.#pages(kind, namespace, { labelSelector: labelSelector.join(',') || undefined });
  }

  async eventsAbout(
    { metadata, kind }: Manifest,
    reasons: readonly string[],
  ): Promise<readonly { reason: string; message: string }[]> {
    const fieldSelector = `regarding.kind=${kind},regarding.name=${metadata.name},regarding.uid=${metadata.uid ?? ''}`;
    const events = await this.#pages('Event', metadata.namespace, { fieldSelector });
    return events
      .filter((event) => reasons.includes(`${event['reason']}`))
      .sort((a, b) => lastSeen(b).localeCompare(lastSeen(a)))
      .map((event) => ({ reason: `${event['reason']}`, message: `${event['note'] ?? ''}` }));
  }

  watch(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async apply(manifest: Manifest): Promise<void> {
    await this.#patch(objectPath(refTo(manifest)), APPLY, manifest);
  }

  async applyStatus({ apiVersion, kind, namespace, name, uid }: Existing, status: object): Promise<void> {
    const body = { apiVersion, kind, metadata: { namespace, name, uid }, status };
    await this.#patch(objectPath({ apiVersion, kind, namespace, name }, 'status'), APPLY, body);
  }

  async write({ manifest, resourceVersion }: GuardedWrite): Promise<void> {
    this.#mayWrite();
    const ref = refTo(manifest);
    const query = { fieldManager: FIELD_MANAGER };
    if (resourceVersion === undefined) {
      await this.#transport.call({ method: 'POST', path: collectionPath(kindOf(ref), ref.namespace), query, body: manifest });
      return;
    }
    const body = { ...manifest, metadata: { ...manifest.metadata, resourceVersion } };
    await this.#transport.call({ method: 'PUT', path: objectPath(ref), query, body });
  }

  async remove(object: Existing): Promise<void> {
    await this.#delete(object, { propagationPolicy: 'Background' });
  }

  async setFinalizer({ apiVersion, kind, namespace, name, uid }: Existing, finalizer: string, present: boolean): Promise<void> {
    const body = { apiVersion, kind, metadata: { namespace, name, uid, finalizers: present ? [finalizer] : [] } };
    // A manager of its own: applying the object's status or children must not give the finalizer up.
    await this.#patch(objectPath({ apiVersion, kind, namespace, name }), APPLY, body, `${FIELD_MANAGER}-finalizer`);
  }

  async evict({ name, namespace, uid }: PodRef): Promise<void> {
    this.#mayWrite();
    const body = {
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: { name, namespace },
      deleteOptions: { preconditions: { uid } },
    };
    await this.#transport.call({ method: 'POST', path: objectPath(podRef(name, namespace), 'eviction'), body });
  }

  async forceDelete({ name, namespace, uid }: PodRef): Promise<void> {
    await this.#delete({ ...podRef(name, namespace), uid }, { gracePeriodSeconds: 0 });
  }

  async annotate({ name, namespace, uid }: PodRef, annotations: Readonly<Record<string, string>>): Promise<void> {
    await this.#patch(objectPath(podRef(name, namespace)), MERGE, { metadata: { uid, annotations } });
  }

  async record(regarding: Regarding, event: PlannedEvent): Promise<void> {
    this.#mayWrite();
    await this.#recorder.record(regarding, event);
  }

  async #patch(path: string, contentType: string, body: unknown, fieldManager = FIELD_MANAGER): Promise<void> {
    this.#mayWrite();
    const force = contentType === APPLY ? 'true' : undefined;
    await this.#transport.call({ method: 'PATCH', path, contentType, query: { fieldManager, force }, body });
  }

  async #delete({ uid, ...ref }: Existing, options: Readonly<Record<string, unknown>>): Promise<void> {
    this.#mayWrite();
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid }, ...options };
    try {
      await this.#transport.call({ method: 'DELETE', path: objectPath(ref), body });
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }

  async #pages(
    kind: Kind,
    namespace: string | undefined,
    selector: Readonly<Record<string, string | undefined>>,
  ): Promise<readonly Manifest[]> {
    const objects: Manifest[] = [];
    let next: string | undefined;
    do {
      const query = { ...selector, limit: '500', continue: next };
      const page = readPage(await this.#transport.call({ method: 'GET', path: collectionPath(kind, namespace), query }), kind);
      objects.push(...page.items);
      next = page.next;
    } while (next);
    return objects;
  }

  #cache(kind: Kind): Cache {
    const cache = this.#caches.get(kind);
    if (!cache) throw new Error(`${kind} is not cached: read it`);
    return cache;
  }

  #tell(change: Change): void {
    for (const listener of this.#listeners) listener(change);
  }
}

function refTo({ apiVersion, kind, metadata: { namespace, name } }: Manifest): Ref {
  return { apiVersion, kind, namespace, name };
}

const podRef = (name: string, namespace: string): Ref => ({ apiVersion: 'v1', kind: 'Pod', namespace, name });

const lastSeen = ({ series, eventTime, deprecatedLastTimestamp, metadata }: Manifest): string =>
  `${(isRecord(series) && series['lastObservedTime']) || eventTime || deprecatedLastTimestamp || metadata['creationTimestamp'] || ''}`;

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null;
