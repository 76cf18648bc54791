/** The Cluster port over the local mode's own objects. */
import type { Clock } from '../clock.ts';
import { ApiError, isGone } from '../kube/api-error.ts';
import { type Change, type Cluster, type Existing, FIELD_MANAGER, type Regarding, type Selection } from '../kube/cluster.ts';
import type { Kind } from '../kube/kind.ts';
import type { GuardedWrite, Manifest, PlannedEvent, PodRef, Ref } from '../plan/plan.ts';
import { disruptionForbidden } from './disruption-budget.ts';
import type { EventLog } from './event-log.ts';
import { type ObjectStore, refTo } from './object-store.ts';
import { specOf } from './pod-object.ts';

export class StoreCluster implements Cluster {
  readonly #store: ObjectStore;
  readonly #events: EventLog;
  readonly #clock: Clock;

  constructor(store: ObjectStore, events: EventLog, clock: Clock) {
    this.#store = store;
    this.#events = events;
    this.#clock = clock;
  }

  get(ref: Ref): Manifest | undefined {
    return this.#store.get(ref);
  }

  list(kind: Kind, selection: Selection): readonly Manifest[] {
    return this.#store.list(kind, selection);
  }

  async read(ref: Ref): Promise<Manifest | undefined> {
    return this.#store.get(ref);
  }

  async readAll(kind: Kind, selection: Selection): Promise<readonly Manifest[]> {
    return this.#store.list(kind, selection);
  }

  async eventsAbout(object: Manifest, reasons: readonly string[]): Promise<readonly { reason: string; message: string }[]> {
    return this.#events.about(object).filter(({ reason }) => reasons.includes(reason));
  }

  watch(listener: (change: Change) => void): () => void {
    return this.#store.watch(listener);
  }

  async apply(manifest: Manifest): Promise<void> {
    this.#store.apply(manifest, FIELD_MANAGER);
  }

  async applyStatus(object: Existing, status: object): Promise<void> {
    this.#store.apply({ ...partial(object), status }, FIELD_MANAGER, 'status');
  }

  async write({ manifest, resourceVersion }: GuardedWrite): Promise<void> {
    if (resourceVersion === undefined) this.#store.create(manifest);
    else this.#store.replace({ ...manifest, metadata: { ...manifest.metadata, resourceVersion } });
  }

  async remove({ uid, ...ref }: Existing): Promise<void> {
    this.#removeIfThere(ref, uid);
  }

  async setFinalizer(object: Existing, finalizer: string, present: boolean): Promise<void> {
    const { metadata, ...rest } = partial(object);
    this.#store.apply(
      { ...rest, metadata: { ...metadata, finalizers: present ? [finalizer] : [] } },
      `${FIELD_MANAGER}-finalizer`,
    );
  }

  async evict({ name, namespace, uid }: PodRef): Promise<void> {
    const pod = this.#store.get(podRef(name, namespace));
    if (!pod) throw new ApiError(404, 'NotFound', `Pod ${namespace}/${name} is not there`);
    const budgets = this.#store.list('PodDisruptionBudget', { namespace });
    const why = disruptionForbidden(pod, budgets, this.#store.list('Pod', { namespace }), (pods) => this.#expected(pods));
    if (why) throw new ApiError(429, 'TooManyRequests', why, 1_000);
    this.#store.remove(refTo(pod), { uid });
  }

  async forceDelete({ name, namespace, uid }: PodRef): Promise<void> {
    this.#removeIfThere(podRef(name, namespace), uid, 0);
  }

  async annotate({ name, namespace, uid }: PodRef, annotations: Readonly<Record<string, string>>): Promise<void> {
    this.#store.merge(podRef(name, namespace), { metadata: { annotations } }, uid);
  }

  async record(regarding: Regarding, event: PlannedEvent): Promise<void> {
    this.#events.add(regarding, event, this.#clock.now());
  }

  #removeIfThere(ref: Ref, uid: string, graceSeconds?: number): void {
    try {
      this.#store.remove(ref, { uid, graceSeconds });
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }

  /** As the disruption controller counts: by the scale of the pods' owners. */
  #expected(pods: readonly Manifest[]): number {
    const owners = new Set(pods.flatMap(({ metadata }) => metadata.ownerReferences?.map(({ uid }) => uid) ?? []));
    const sets = this.#store.list('StatefulSet').filter(({ metadata: { uid = '' } }) => owners.has(uid));
    return sets.reduce((sum, set) => sum + replicasOf(set), 0);
  }
}

export function replicasOf(set: Manifest): number {
  const replicas = specOf(set)['replicas'];
  return typeof replicas === 'number' ? replicas : 1;
}

function partial({ apiVersion, kind, namespace, name, uid }: Existing): Manifest {
  return { apiVersion, kind, metadata: { namespace, name, uid } };
}

const podRef = (name: string, namespace: string): Ref => ({ apiVersion: 'v1', kind: 'Pod', namespace, name });
