/** Gathers all that a plan may depend on: from the cache, live where an old answer would be dangerous, and from the pods themselves. */
import type { TicketKey } from '../crds/v1alpha1/ticketkey.ts';
import type { VpnGateway } from '../crds/v1alpha1/vpngateway.ts';
import type { Clock } from './clock.ts';
import { isStatus } from './kube/api-error.ts';
import type { Cluster, Selection } from './kube/cluster.ts';
import { API_VERSION, childRefs, GATEWAY_LABEL, KEY_RING_LABEL, ringRef } from './plan/names.ts';
import type {
  FreshKey,
  GatewayObserved,
  Manifest,
  Observed,
  Placement,
  Pod,
  PodReport,
  Ref,
  TicketKeyObserved,
} from './plan/plan.ts';
import { readRing } from './plan/ring-secret.ts';
import { isBeingMade, isReady, nodeOf, notReadySince, type PodTrouble, readPod } from './pod.ts';
import { type Key, usersOf } from './relations.ts';
import { isGateway, isTicketKey } from './resource.ts';

export interface Surroundings {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly freshKey: () => FreshKey;
  readonly placement: (gateway: { readonly namespace: string; readonly name: string }) => Placement;
  /** What the pod answers at /status; undefined when it does not. */
  readonly report: (pod: Manifest, port: number) => Promise<PodReport | undefined>;
}

/** undefined when the resource is gone. */
export async function observe(key: Key, at: Surroundings): Promise<Observed | undefined> {
  const resource = at.cluster.get({ apiVersion: API_VERSION, ...key });
  if (isGateway(resource)) return observeGateway(resource, at);
  return isTicketKey(resource) ? observeTicketKey(resource, at) : undefined;
}

async function observeGateway(resource: Manifest & VpnGateway, at: Surroundings): Promise<GatewayObserved> {
  const { namespace, name } = resource.metadata;
  const placement = at.placement(resource.metadata);
  const ring = await at.cluster.read(ringRef(resource));
  const [children, pods] = await Promise.all([
    readChildren(childRefs(resource), ring, at.cluster),
    readPods({ namespace, labels: { [GATEWAY_LABEL]: name } }, ring, () => placement.httpPort, at),
  ]);
  return {
    kind: 'VpnGateway',
    now: at.clock.now(),
    resource,
    ticketKey: namedTicketKey(resource, at.cluster),
    ring,
    children,
    pods,
    createFailure: await createFailure(resource, children, pods, at.cluster),
    fresh: at.freshKey(),
    placement,
  };
}

async function observeTicketKey(resource: Manifest & TicketKey, at: Surroundings): Promise<TicketKeyObserved> {
  const { namespace } = resource.metadata;
  const ref = ringRef(resource);
  const ring = await at.cluster.read(ref);
  const port = (gateway: string) => at.placement({ namespace, name: gateway }).httpPort;
  return {
    kind: 'TicketKey',
    now: at.clock.now(),
    resource,
    ring,
    users: usersOf(resource.metadata, at.cluster).map((user) => ({ name: user.name, deleting: isDeleting(user, at.cluster) })),
    pods: await readPods({ namespace, labels: { [KEY_RING_LABEL]: ref.name } }, ring, port, at),
    fresh: at.freshKey(),
  };
}

function namedTicketKey({ spec, metadata: { namespace } }: VpnGateway, cluster: Cluster): TicketKey | undefined {
  if (!spec.ticketKeyRef) return undefined;
  const ticketKey = cluster.get({ apiVersion: API_VERSION, kind: 'TicketKey', namespace, name: spec.ticketKeyRef.name });
  return isTicketKey(ticketKey) ? ticketKey : undefined;
}

const isDeleting = (key: Key, cluster: Cluster): boolean =>
  cluster.get({ apiVersion: API_VERSION, ...key })?.metadata['deletionTimestamp'] !== undefined;

/** What is not in the cache is read: it may be new, or somebody else's and without our label. */
async function readChildren(refs: readonly Ref[], ring: Manifest | undefined, cluster: Cluster): Promise<readonly Manifest[]> {
  const read = (ref: Ref) => (ring && isAt(ring, ref) ? ring : (cluster.get(ref) ?? cluster.read(ref)));
  const found = await Promise.all(refs.map(read));
  return found.filter((child) => child !== undefined);
}

const isAt = ({ kind, metadata }: Manifest, ref: Ref): boolean => kind === ref.kind && metadata.name === ref.name;

async function readPods(
  selection: Selection,
  ring: Manifest | undefined,
  portOf: (gateway: string) => number,
  at: Surroundings,
): Promise<readonly Pod[]> {
  // A pod that the cache does not know yet could seal with a key that its siblings lack.
  const pods = isRotating(ring) ? await at.cluster.readAll('Pod', selection) : at.cluster.list('Pod', selection);
  return Promise.all(
    pods.map(async (pod) => {
      const [report, nodeLostAt, trouble] = await Promise.all([
        at.report(pod, portOf(pod.metadata.labels?.[GATEWAY_LABEL] ?? '')),
        nodeLost(pod, at.cluster),
        podTrouble(pod, at.cluster),
      ]);
      return readPod(pod, { report, nodeLostAt, trouble });
    }),
  );
}

/** Whether a key waits for its promotion: then no pod may be overlooked. */
function isRotating(secret: Manifest | undefined): boolean {
  const parsed = secret && readRing(secret);
  return parsed?.ok === true && parsed.value.ring.keys.some(({ state }) => state === 'next');
}

/** Asked for only when pods are missing: events are not cached. */
async function createFailure(
  resource: VpnGateway,
  children: readonly Manifest[],
  pods: readonly Pod[],
  cluster: Cluster,
): Promise<string | undefined> {
  const set = children.find(({ kind }) => kind === 'StatefulSet');
  if (!set || pods.length >= (resource.spec.replicas ?? 1)) return undefined;
  const [latest] = await cluster.eventsAbout(set, ['FailedCreate']);
  return latest?.message;
}

/** Events say what keeps a container from being made; its status does not. */
async function podTrouble(pod: Manifest, cluster: Cluster): Promise<PodTrouble | undefined> {
  if (!isBeingMade(pod)) return undefined;
  const [latest] = await cluster.eventsAbout(pod, ['FailedMount', 'FailedAttachVolume', 'FailedCreatePodSandBox']);
  return latest;
}

/** Asked for only when a pod is not ready. Without the right to read nodes no pod counts as lost. */
async function nodeLost(pod: Manifest, cluster: Cluster): Promise<number | undefined> {
  const name = nodeOf(pod);
  if (!name || isReady(pod)) return undefined;
  try {
    const node = await cluster.read({ apiVersion: 'v1', kind: 'Node', namespace: '', name });
    return node && notReadySince(node);
  } catch (error) {
    if (isStatus(error, 403)) return undefined;
    throw error;
  }
}
