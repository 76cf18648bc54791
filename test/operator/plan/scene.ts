/** Golden pairs: a scene in YAML becomes what the plan observes, and the plan becomes YAML that people can read. */
import { dump, load } from 'js-yaml';
import type { TicketKey } from '../../../crds/v1alpha1/ticketkey.ts';
import { formatTime, parseTime } from '../../../crds/v1alpha1/time.ts';
import { validate } from '../../../crds/v1alpha1/validate.ts';
import type { VpnGateway } from '../../../crds/v1alpha1/vpngateway.ts';
import { ownerOf, ownLabels } from '../../../operator/plan/manifests/ownership.ts';
import { podTemplate } from '../../../operator/plan/manifests/pod-template.ts';
import { KEY_RING_LABEL, ringRef, TEMPLATE_LABEL } from '../../../operator/plan/names.ts';
import {
  type FreshKey,
  type Manifest,
  type Observed,
  type OwnerReference,
  type Placement,
  type Plan,
  type Pod,
  type PodReport,
  plan,
} from '../../../operator/plan/plan.ts';
import { ringSecret } from '../../../operator/plan/ring-secret.ts';
import { type KeptRing, unhex } from '../../../operator/plan/ticket-keys.ts';
import { acknowledgement } from '../../../sidecar/contract/acknowledgement.ts';
import type { KeyRing, RingKey } from '../../../sidecar/contract/key-ring.ts';
import { Secret } from '../../../sidecar/contract/secret.ts';
import { merged } from './act.ts';

export const PLACEMENT: Placement = {
  image: 'rekindle:test',
  ikePort: 500,
  natPort: 4500,
  httpPort: 9500,
  peerPort: 9501,
  peerHost: '{name}-{ordinal}.{name}-peers.{namespace}.svc',
  operatorNamespace: 'rekindle-system',
  hasAgents: true,
};

export const FRESH: FreshKey = {
  id: unhex('f1f2f3f4f5f6f7f8'),
  secret: new Secret(new Uint8Array(32).fill(0xfe)),
  ringId: 'ffffffff-0000-4000-8000-000000000000',
};

/** Made from its id, so that golden files stay the same. */
export const testSecret = (id: string): Secret => new Secret(new Uint8Array(32).fill(Number.parseInt(id.slice(0, 2), 16)));

interface SceneRing {
  readonly ringId?: string;
  readonly generation: number;
  readonly keys: readonly {
    readonly id: string;
    readonly state: RingKey['state'];
    readonly createdAt: string;
    readonly openUntil?: string;
  }[];
  readonly revoked?: readonly { readonly id: string; readonly until: string }[];
  readonly revokedBefore?: string;
  readonly rotationToken?: string;
  readonly publishedAt?: string;
  readonly urgentGeneration?: number;
  /** Whom the Secret belongs to, when not to whom it should. */
  readonly owner?: OwnerReference | 'nobody';
  /** Instead of a ring. */
  readonly text?: string;
}

interface ScenePod extends Partial<Omit<Pod, 'readyChangedAt' | 'nodeLostAt' | 'report'>> {
  readonly name: string;
  readonly readyChangedAt?: string;
  readonly nodeLostAt?: string;
  /** It has acknowledged the ring as it is. */
  readonly acknowledges?: boolean;
  readonly outdated?: boolean;
  /** Its /status does not answer. */
  readonly silent?: boolean;
  readonly configGeneration?: number;
  readonly sessions?: number;
  readonly faults?: readonly string[];
  readonly dataplane?: PodReport['dataplane'];
  readonly problems?: PodReport['problems'];
  readonly reasons?: readonly string[];
}

interface Scene {
  readonly now: string;
  readonly resource: VpnGateway | TicketKey;
  readonly ticketKey?: TicketKey;
  readonly ring?: SceneRing;
  readonly pods?: readonly ScenePod[];
  readonly users?: readonly { readonly name: string; readonly deleting: boolean }[];
  /** Children are there as the plan would have them; beside them, others; and what somebody has changed about them since. */
  readonly applied?: boolean;
  readonly children?: readonly Manifest[];
  readonly changed?: readonly {
    readonly kind: string;
    readonly name: string;
    readonly fields: Readonly<Record<string, unknown>>;
  }[];
  readonly createFailure?: string;
  /** False: as in the local mode. */
  readonly hasAgents?: boolean;
}

export function observedFrom(text: string): Observed {
  const scene = load(text) as Scene;
  const now = time(scene.now);
  const resource = complete(scene.resource);
  const kept = scene.ring && keptRing(scene.ring);
  const ring = scene.ring && ringManifest(scene.ring, kept, resource);
  const pods = (scene.pods ?? []).map((pod) => podFrom(pod, resource, kept?.ring, now));
  if (resource.kind === 'TicketKey')
    return { kind: 'TicketKey', now, resource, ring, users: scene.users ?? [], pods, fresh: FRESH };
  const bare: Observed = {
    kind: 'VpnGateway',
    now,
    resource,
    ticketKey: scene.ticketKey && (complete(scene.ticketKey) as TicketKey),
    ring,
    children: [],
    pods,
    createFailure: scene.createFailure,
    fresh: FRESH,
    placement: { ...PLACEMENT, hasAgents: scene.hasAgents ?? true },
  };
  const children = scene.applied ? plan(bare).apply : [];
  return { ...bare, children: [...children.map((child) => changedBy(scene.changed ?? [], child)), ...(scene.children ?? [])] };
}

function changedBy(changes: NonNullable<Scene['changed']>, child: Manifest): Manifest {
  const change = changes.find(({ kind, name }) => kind === child.kind && name === child.metadata.name);
  return change ? (merged(child, change.fields) as Manifest) : child;
}

/** With defaults, as the API server would answer it. */
function complete(given: VpnGateway | TicketKey): VpnGateway | TicketKey {
  const { uid, generation, finalizers, deletionTimestamp } = given.metadata;
  const validated = validate('scene', given);
  if (!validated.ok) throw new Error(JSON.stringify(validated.problems));
  const metadata = {
    ...validated.value.metadata,
    uid: uid ?? '00000000-0000-4000-8000-000000000001',
    generation: generation ?? 1,
    ...(finalizers ? { finalizers } : {}),
    ...(deletionTimestamp ? { deletionTimestamp } : {}),
  };
  return { ...validated.value, metadata, ...(given.status ? { status: given.status } : {}) } as VpnGateway | TicketKey;
}

function keptRing(ring: SceneRing): KeptRing {
  return {
    ring: {
      ringId: ring.ringId ?? 'ring-1',
      generation: ring.generation,
      keys: (ring.keys ?? []).map(({ id, state, createdAt, openUntil }) => ({
        id: unhex(id),
        algorithm: 'XChaCha20-Poly1305',
        state,
        secret: testSecret(id),
        createdAt: time(createdAt),
        openUntil: openUntil === undefined ? undefined : time(openUntil),
      })),
      revoked: (ring.revoked ?? []).map(({ id, until }) => ({ id: unhex(id), until: time(until) })),
      revokedBefore: ring.revokedBefore === undefined ? 0 : time(ring.revokedBefore),
    },
    rotationToken: ring.rotationToken ?? '',
    publishedAt: ring.publishedAt === undefined ? 0 : time(ring.publishedAt),
    urgentGeneration: ring.urgentGeneration ?? 0,
  };
}

function ringManifest(scene: SceneRing, kept: KeptRing | undefined, resource: VpnGateway | TicketKey): Manifest | undefined {
  if (!kept) return undefined;
  const secret = ringSecret(ringRef(resource), ownerOf(resource), ownLabels, kept);
  const { ownerReferences, ...metadata } = secret.metadata;
  const owners = scene.owner === undefined ? ownerReferences : scene.owner === 'nobody' ? undefined : [scene.owner];
  return {
    ...secret,
    metadata: { ...metadata, resourceVersion: '100', ...(owners ? { ownerReferences: owners } : {}) },
    ...(scene.text === undefined ? {} : { data: { 'key-ring.yaml': Buffer.from(scene.text).toString('base64') } }),
  };
}

function podFrom(pod: ScenePod, resource: VpnGateway | TicketKey, ring: KeyRing | undefined, now: number): Pod {
  const uid = pod.uid ?? `uid-of-${pod.name}`;
  const template = resource.kind === 'VpnGateway' ? podTemplate(resource, PLACEMENT).metadata.labels[TEMPLATE_LABEL] : undefined;
  const labels = {
    [KEY_RING_LABEL]: ringRef(resource).name,
    ...(template === undefined ? {} : { [TEMPLATE_LABEL]: pod.outdated ? 'earlier' : template }),
    ...pod.labels,
  };
  return {
    name: pod.name,
    uid,
    ordinal: Number(/\d+$/.exec(pod.name)?.[0]),
    labels,
    annotations: pod.annotations ?? {},
    terminating: pod.terminating ?? false,
    finished: pod.finished ?? false,
    ready: pod.ready ?? true,
    readyChangedAt: pod.readyChangedAt === undefined ? now - 3_600_000 : time(pod.readyChangedAt),
    nodeLostAt: pod.nodeLostAt === undefined ? undefined : time(pod.nodeLostAt),
    waiting: pod.waiting,
    report: pod.silent
      ? undefined
      : {
          ringGeneration: pod.acknowledges ? (ring?.generation ?? 0) : 0,
          acknowledgement: pod.acknowledges && ring ? acknowledgement(ring, uid) : '0'.repeat(64),
          configGeneration: pod.configGeneration ?? resource.metadata.generation,
          sessions: pod.sessions ?? 0,
          faults: pod.faults ?? [],
          dataplane: pod.dataplane ?? 'kernel',
          problems: pod.problems ?? [],
          reasons: pod.reasons ?? [],
        },
  };
}

const time = (text: string): number => {
  const ms = parseTime(text);
  if (ms === undefined) throw new Error(`not a time: ${text}`);
  return ms;
};

/** The golden answer to a scene. */
export const answerTo = (text: string): string => dump(readable(plan(observedFrom(text))), { lineWidth: 160, noRefs: true });

/** Without what is empty, with the texts of Secrets in clear and times as text. */
function readable(answer: Plan): unknown {
  const { guarded, apply, checkAgainAt, ...rest } = answer;
  const all = {
    guarded: guarded.map(({ manifest, resourceVersion }) => ({
      resourceVersion: resourceVersion ?? 'none',
      manifest: inClear(manifest),
    })),
    apply: apply.map(inClear),
    ...rest,
    ...(checkAgainAt === undefined ? {} : { checkAgainAt: formatTime(checkAgainAt) }),
  };
  return Object.fromEntries(
    Object.entries(all).filter(([, part]) => part !== undefined && !(Array.isArray(part) && part.length === 0)),
  );
}

function inClear(manifest: Manifest): unknown {
  const { data, ...rest } = manifest;
  if (manifest.kind !== 'Secret') return manifest;
  const texts = Object.entries(data as Record<string, string>).map(([name, value]) => [
    name,
    Buffer.from(value, 'base64').toString('utf8'),
  ]);
  return { ...rest, text: Object.fromEntries(texts) };
}
