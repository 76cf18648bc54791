/** Which pods a service sends to, by the rules of EndpointSlices and kube-proxy, and how late it learns of losses. */
import type { Clock } from '../clock.ts';
import type { Manifest } from '../plan/plan.ts';
import { isMapping } from './field-ownership.ts';
import { isDeleting } from './object-store.ts';
import { podAddress, podReady, specOf } from './pod-object.ts';

export interface Endpoint {
  /** Of the pod: a successor at the same address is another endpoint. */
  readonly uid: string;
  readonly address: string;
  /** It answers: connections that it has stay with it. */
  readonly serving: boolean;
  /** It gets no new ones while there is another. */
  readonly terminating: boolean;
}

export function endpointsOf(service: Manifest, pods: readonly Manifest[]): readonly Endpoint[] {
  const selector = specOf(service)['selector'];
  if (!isMapping(selector)) return [];
  const selected = pods.filter(({ metadata: { namespace, labels } }) => {
    return (
      namespace === service.metadata.namespace && Object.entries(selector).every(([name, value]) => labels?.[name] === value)
    );
  });
  return selected.flatMap((pod) => {
    const address = podAddress(pod);
    const { uid } = pod.metadata;
    return address && uid ? [{ uid, address, serving: podReady(pod), terminating: isDeleting(pod) }] : [];
  });
}

/** Gains are known at once; of a loss the proxies hear only after `delayMs`, as on a real cluster. */
export class LateEndpoints {
  readonly #clock: Clock;
  readonly #delayMs: number;
  readonly #changed: (endpoints: readonly Endpoint[]) => void;
  #known: ReadonlyMap<string, Endpoint> = new Map();
  #actual: ReadonlyMap<string, Endpoint> = new Map();
  readonly #lost: Map<string, number> = new Map();
  #cancel: () => void = () => {};

  constructor(clock: Clock, delayMs: number, changed: (endpoints: readonly Endpoint[]) => void) {
    this.#clock = clock;
    this.#delayMs = delayMs;
    this.#changed = changed;
  }

  update(endpoints: readonly Endpoint[]): void {
    this.#actual = new Map(endpoints.map((endpoint) => [endpoint.uid, endpoint]));
    this.#settle();
  }

  stop(): void {
    this.#cancel();
  }

  #settle(): void {
    this.#cancel();
    const now = this.#clock.elapsed();
    const next = new Map([...this.#actual].map(([uid, actual]) => [uid, this.#believe(uid, actual, now)]));
    for (const [uid, known] of this.#known) if (!this.#actual.has(uid) && !this.#isOld(uid, now)) next.set(uid, known);
    for (const uid of this.#lost.keys()) if (!next.has(uid)) this.#lost.delete(uid);
    const changed = JSON.stringify([...next.values()]) !== JSON.stringify([...this.#known.values()]);
    this.#known = next;
    const due = Math.min(...this.#lost.values());
    if (Number.isFinite(due)) this.#cancel = this.#clock.after(due - now, () => this.#settle());
    if (changed) this.#changed([...next.values()]);
  }

  #believe(uid: string, actual: Endpoint, now: number): Endpoint {
    const known = this.#known.get(uid);
    const worse = known?.serving === true && (!actual.serving || (actual.terminating && !known.terminating));
    if (known && worse && !this.#isOld(uid, now)) return known;
    this.#lost.delete(uid);
    return actual;
  }

  /** Whether the loss is to be believed now; begins its delay when it is new. */
  #isOld(uid: string, now: number): boolean {
    const due = this.#lost.get(uid) ?? now + this.#delayMs;
    this.#lost.set(uid, due);
    return due <= now;
  }
}
