/** What the StatefulSet controller does, as far as we use it: podManagementPolicy Parallel, updateStrategy OnDelete, scale-in from the highest ordinal. */
import type { Change } from '../kube/cluster.ts';
import type { Manifest } from '../plan/plan.ts';
import { isMapping } from './field-ownership.ts';
import { isDeleting, type ObjectStore, refTo } from './object-store.ts';
import { ordinalOf, podReady, specOf } from './pod-object.ts';
import { replicasOf } from './store-cluster.ts';

export class StatefulSets {
  readonly #store: ObjectStore;
  #stopWatching: () => void = () => {};

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  start(): void {
    this.#stopWatching = this.#store.watch((change) => this.#changed(change));
    for (const set of this.#store.list('StatefulSet')) this.#sync(set);
  }

  stop(): void {
    this.#stopWatching();
  }

  #changed({ kind, before, after }: Change): void {
    if (kind === 'StatefulSet' && after) this.#sync(after);
    if (kind !== 'Pod') return;
    const owner = (after ?? before)?.metadata.ownerReferences?.[0]?.uid;
    const set = this.#store.list('StatefulSet').find(({ metadata }) => metadata.uid === owner);
    if (set) this.#sync(set);
  }

  #sync(set: Manifest): void {
    if (isDeleting(set)) return;
    const pods = this.#podsOf(set);
    const wanted = replicasOf(set);
    for (const pod of pods) if (ordinalOf(pod) >= wanted && !isDeleting(pod)) this.#store.remove(refTo(pod));
    for (let ordinal = 0; ordinal < wanted; ordinal += 1) this.#ensure(podFrom(set, ordinal));
    this.#report(set);
  }

  /** Looks each time: word of the pod before has been heard meanwhile, also here. */
  #ensure(pod: Manifest): void {
    if (!this.#store.get(refTo(pod))) this.#store.create(pod);
  }

  #report(set: Manifest): void {
    const pods = this.#podsOf(set);
    const readyReplicas = pods.filter(podReady).length;
    const observedGeneration = set.metadata['generation'];
    const status = { observedGeneration, replicas: pods.length, readyReplicas, availableReplicas: readyReplicas };
    if (this.#store.get(refTo(set))) this.#store.merge(refTo(set), { status });
  }

  #podsOf({ metadata: { namespace, uid } }: Manifest): readonly Manifest[] {
    const all = this.#store.list('Pod', { namespace });
    return all.filter(({ metadata }) => metadata.ownerReferences?.some((owner) => owner.uid === uid));
  }
}

function podFrom(set: Manifest, ordinal: number): Manifest {
  const template = specOf(set)['template'];
  const metadata = isMapping(template) && isMapping(template['metadata']) ? template['metadata'] : {};
  const name = `${set.metadata.name}-${ordinal}`;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: set.metadata.namespace,
      labels: {
        ...texts(metadata['labels']),
        'apps.kubernetes.io/pod-index': `${ordinal}`,
        'statefulset.kubernetes.io/pod-name': name,
      },
      annotations: texts(metadata['annotations']),
      ownerReferences: [
        { apiVersion: set.apiVersion, kind: set.kind, name: set.metadata.name, uid: set.metadata.uid ?? '', controller: true },
      ],
    },
    spec: { ...(isMapping(template) && isMapping(template['spec']) ? template['spec'] : {}), hostname: name, nodeName: 'local' },
    status: { phase: 'Pending', conditions: [] },
  };
}

const texts = (value: unknown): Readonly<Record<string, string>> =>
  isMapping(value) ? Object.fromEntries(Object.entries(value).map(([name, text]) => [name, `${text}`])) : {};
