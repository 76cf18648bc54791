/** Keeps a LocalPod for every Pod object and tells each what concerns it. */
import type { Change } from '../kube/cluster.ts';
import { LocalPod, type PodSurroundings } from './local-pod.ts';

export class Kubelet {
  readonly #at: PodSurroundings;
  /** By uid. */
  readonly #pods: Map<string, LocalPod> = new Map();
  #stopWatching: () => void = () => {};

  constructor(at: PodSurroundings) {
    this.#at = at;
  }

  start(): void {
    this.#stopWatching = this.#at.store.watch((change) => this.#changed(change));
  }

  /** The local pod behind a Pod object. */
  pod(uid: string): LocalPod | undefined {
    return this.#pods.get(uid);
  }

  /** Ends all pods, each with at most this much time. */
  async stop(graceMs: number): Promise<void> {
    this.#stopWatching();
    await Promise.all([...this.#pods.values()].map((pod) => pod.end(graceMs)));
  }

  #changed({ kind, before, after }: Change): void {
    if (kind === 'Secret' || kind === 'ConfigMap') for (const pod of this.#pods.values()) pod.sourcesChanged();
    if (kind !== 'Pod') return;
    const uid = (after ?? before)?.metadata.uid ?? '';
    const known = this.#pods.get(uid);
    if (after && known) known.changed(after);
    else if (after) this.#pods.set(uid, new LocalPod(after, this.#at));
    else this.#forget(uid, known);
  }

  /** Gone from the store: it ended, or it was deleted by force. */
  #forget(uid: string, pod: LocalPod | undefined): void {
    this.#pods.delete(uid);
    void pod?.end(0);
  }
}
