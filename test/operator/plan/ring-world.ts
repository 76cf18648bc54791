/**
 * A small world around one TicketKey: a Secret with versions, kubelets that are behind, pods that come, go, restart and lose their node,
 * and an operator that may be interrupted between any two writes. It notes every ticket that could be sealed and not be opened.
 */
import type { TicketKey, TicketKeySpec } from '../../../crds/v1alpha1/ticketkey.ts';
import { ringRef } from '../../../operator/plan/names.ts';
import { type Manifest, type Plan, type Pod, plan, type TicketKeyObserved } from '../../../operator/plan/plan.ts';
import { readRing } from '../../../operator/plan/ring-secret.ts';
import { activeKey, hex, type KeptRing } from '../../../operator/plan/ticket-keys.ts';
import { acknowledgement } from '../../../sidecar/contract/acknowledgement.ts';
import { Secret } from '../../../sidecar/contract/secret.ts';

export const HOUR = 3_600_000;
const ACK_TIMEOUT = 300_000;

interface WorldPod {
  readonly name: string;
  readonly uid: string;
  /** Index of the version of the Secret that it has loaded. */
  loaded: number;
  ready: boolean;
  readyChangedAt: number;
  terminating: boolean;
  /** Its node is cut off: it loads nothing and answers nobody. */
  cutOff: boolean;
  /** A rotation went on without it. */
  passedOver: boolean;
}

interface Version {
  readonly kept: KeptRing;
  readonly manifest: Manifest;
}

export class RingWorld {
  now = Date.parse('2030-01-01T00:00:00Z');
  readonly versions: Version[] = [];
  readonly pods: WorldPod[] = [];
  readonly faults: string[] = [];
  /** Ids that a revocation made active or destroyed: for them a ticket may go unopened. */
  readonly excused = new Set<string>();
  resource: TicketKey;
  #pending: { readonly plan: Plan; readonly basedOn: number } | undefined;
  #count = 0;

  constructor(spec: Partial<TicketKeySpec> = {}) {
    this.resource = {
      apiVersion: 'vpn.rekindle.dev/v1alpha1',
      kind: 'TicketKey',
      metadata: { name: 'office', namespace: 'vpn', uid: 'uid-of-office', generation: 1 },
      spec: {
        source: { generated: {} },
        algorithm: 'XChaCha20-Poly1305',
        rotationInterval: '1h',
        ticketLifetime: '1h',
        ackTimeout: '5m',
        suspend: false,
        ...spec,
      },
    };
  }

  get latest(): Version | undefined {
    return this.versions.at(-1);
  }

  /** The operator looks and decides; what it decides is carried out later, or never. */
  decide(): void {
    this.#pending = { plan: plan(this.#observe()), basedOn: this.versions.length };
  }

  /** Carries the last decision out; `interrupted` ends after the write of the ring. */
  carryOut(interrupted: boolean): void {
    const pending = this.#pending;
    this.#pending = undefined;
    if (!pending) return;
    const [write] = pending.plan.guarded;
    if (write && pending.basedOn !== this.versions.length) return; // conflict
    if (write) this.#write(write.manifest, pending.plan);
    if (!interrupted && pending.plan.status)
      this.resource = { ...this.resource, status: pending.plan.status as TicketKey['status'] & object };
  }

  reconcile(): void {
    this.decide();
    this.carryOut(false);
  }

  /** A new pod mounts the Secret as it is, or as a slow kubelet remembers it. */
  join(behind: number): void {
    const loaded = this.versions.length - 1 - behind;
    if (loaded < 0 || this.pods.length >= 4) return;
    const name = `office-${this.#count++}`;
    const pod = {
      name,
      uid: `uid-of-${name}`,
      loaded,
      ready: false,
      readyChangedAt: this.now,
      terminating: false,
      cutOff: false,
      passedOver: false,
    };
    this.pods.push(pod);
  }

  /** Only after asking the siblings for their generation. */
  becomeReady(index: number): void {
    const pod = this.#pod(index);
    if (!pod || pod.ready || pod.terminating || pod.cutOff) return;
    const siblings = this.pods.filter((other) => other !== pod && !other.terminating && !other.cutOff);
    if (siblings.some((other) => other.loaded > pod.loaded)) return;
    this.#setReady(pod, true);
  }

  load(index: number): void {
    const pod = this.#pod(index);
    if (!pod || pod.cutOff) return;
    pod.loaded = this.versions.length - 1;
    pod.passedOver = false;
  }

  restart(index: number): void {
    const pod = this.#pod(index);
    if (pod && !pod.cutOff) this.#setReady(pod, false);
  }

  cutOff(index: number): void {
    const pod = this.#pod(index);
    if (!pod) return;
    pod.cutOff = true;
    this.#setReady(pod, false);
  }

  /** It was ready for itself all the time, so it asks nobody. */
  heal(index: number): void {
    const pod = this.#pod(index);
    if (!pod?.cutOff) return;
    pod.cutOff = false;
    this.#setReady(pod, true);
  }

  terminate(index: number): void {
    const pod = this.#pod(index);
    if (pod) pod.terminating = true;
  }

  remove(index: number): void {
    const pod = this.#pod(index);
    if (pod?.terminating) this.pods.splice(this.pods.indexOf(pod), 1);
  }

  specify(spec: Partial<TicketKeySpec>): void {
    this.resource = { ...this.resource, spec: { ...this.resource.spec, ...spec } };
  }

  /** Any ready pod may seal with the key that is active for it; any other ready pod must be able to open that. */
  lookForUnopenable(): void {
    const ready = this.pods.filter((pod) => pod.ready && !pod.terminating && !pod.passedOver && !pod.cutOff);
    for (const sealer of ready) {
      const id = hex(activeKey(this.#loadedBy(sealer)).id);
      const lacking = ready.filter((pod) => !this.#loadedBy(pod).keys.some((key) => hex(key.id) === id));
      if (lacking.length > 0 && !this.excused.has(id))
        this.faults.push(`${sealer.name} seals with ${id}, ${lacking[0]?.name} cannot open it`);
    }
  }

  #loadedBy(pod: WorldPod) {
    const version = this.versions[pod.loaded];
    if (!version) throw new Error(`${pod.name} has loaded nothing`);
    return version.kept.ring;
  }

  #pod(index: number): WorldPod | undefined {
    return this.pods.length > 0 ? this.pods[index % this.pods.length] : undefined;
  }

  #setReady(pod: WorldPod, ready: boolean): void {
    if (pod.ready === ready) return;
    pod.ready = ready;
    pod.readyChangedAt = this.now;
  }

  #write(manifest: Manifest, { events }: Plan): void {
    const read = readRing(manifest);
    if (!read.ok) {
      this.faults.push(`a ring was written that cannot be read: ${JSON.stringify(read.problems)}`);
      return;
    }
    const kept = read.value;
    const before = this.latest?.kept.ring;
    if (before && kept.ring.generation <= before.generation) this.faults.push('the generation did not grow');
    const gone = before?.keys.filter(({ id }) => kept.ring.revoked.some((entry) => hex(entry.id) === hex(id))) ?? [];
    for (const { id } of gone) this.excused.add(hex(id));
    if (events.some(({ reason }) => reason === 'KeyRevoked')) this.excused.add(hex(activeKey(kept.ring).id));
    if (kept.ring.keys.some(({ id }) => kept.ring.revoked.some((entry) => hex(entry.id) === hex(id))))
      this.faults.push('a revoked key is in the ring');
    this.#checkEnds(kept);
    for (const pod of this.pods) pod.passedOver ||= !pod.ready && this.now - pod.readyChangedAt >= ACK_TIMEOUT;
    this.versions.push({ kept, manifest });
  }

  /** An end is given to a key only once no pod seals with it any more. */
  #checkEnds({ ring }: KeptRing): void {
    const ended = ring.keys.filter(({ openUntil }) => openUntil !== undefined).map(({ id }) => hex(id));
    const sealing = this.pods
      .filter((pod) => pod.ready && !pod.terminating && !pod.passedOver)
      .map((pod) => hex(activeKey(this.#loadedBy(pod)).id));
    if (ended.some((id) => sealing.includes(id))) this.faults.push('a key has an end while a pod seals with it');
  }

  #observe(): TicketKeyObserved {
    const { latest } = this;
    const n = this.#count++;
    const id = Uint8Array.from([n >> 24, n >> 16, n >> 8, n, 1, 2, 3, 4].map((byte) => byte & 0xff));
    return {
      kind: 'TicketKey',
      now: this.now,
      resource: this.resource,
      ring: latest && {
        ...latest.manifest,
        metadata: { ...latest.manifest.metadata, resourceVersion: String(this.versions.length) },
      },
      users: [{ name: 'office', deleting: false }],
      pods: this.pods.map((pod) => this.#observed(pod)),
      fresh: { id, secret: new Secret(new Uint8Array(32).fill(n & 0xff)), ringId: `ring-${n}` },
    };
  }

  #observed(pod: WorldPod): Pod {
    const { name, uid, ready, readyChangedAt, terminating, cutOff } = pod;
    const ring = this.#loadedBy(pod);
    const report = {
      ringGeneration: ring.generation,
      acknowledgement: acknowledgement(ring, uid),
      configGeneration: 1,
      sessions: 0,
      faults: [],
      dataplane: 'kernel' as const,
      problems: [],
      reasons: [],
    };
    return {
      name,
      uid,
      ordinal: 0,
      labels: { 'vpn.rekindle.dev/key-ring': ringRef(this.resource).name },
      annotations: {},
      terminating,
      finished: false,
      ready,
      readyChangedAt,
      nodeLostAt: cutOff ? readyChangedAt : undefined,
      waiting: undefined,
      report: cutOff ? undefined : report,
    };
  }
}
