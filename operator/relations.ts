/** Which resources a change concerns: its own, its owner, and those that use it. */
import type { VpnGateway } from '../crds/v1alpha1/vpngateway.ts';
import type { Change, Cluster } from './kube/cluster.ts';
import { GATEWAY_LABEL, KEY_RING_LABEL, ringRef } from './plan/names.ts';
import type { Manifest } from './plan/plan.ts';
import { isGateway, isTicketKey, RESOURCE_KINDS, type ResourceKind } from './resource.ts';

export interface Key {
  readonly kind: ResourceKind;
  readonly namespace: string;
  readonly name: string;
}

/** A key may come twice. What the operator writes into a status is no news to it. */
export function concerned({ before, after }: Change, cluster: Pick<Cluster, 'list'>): readonly Key[] {
  if (before && after && isResource(after) && differOnlyInStatus(before, after)) return [];
  return [before, after].flatMap((object) => (object ? concernedBy(object, cluster) : []));
}

function concernedBy(object: Manifest, cluster: Pick<Cluster, 'list'>): readonly Key[] {
  if (isGateway(object)) return [keyOf(object), ...namedTicketKey(object)];
  if (isTicketKey(object)) return [keyOf(object), ...usersOf(object.metadata, cluster)];
  if (object.kind === 'Pod') return podKeys(object, cluster);
  return owners(object).flatMap((owner) => (owner.kind === 'TicketKey' ? [owner, ...usersOf(owner, cluster)] : [owner]));
}

const isResource = (object: Manifest): boolean => isGateway(object) || isTicketKey(object);

const WRITTEN_BY_OTHERS = ['uid', 'generation', 'deletionTimestamp', 'labels', 'annotations', 'finalizers'] as const;

const differOnlyInStatus = (before: Manifest, after: Manifest): boolean =>
  WRITTEN_BY_OTHERS.every((field) => JSON.stringify(before.metadata[field]) === JSON.stringify(after.metadata[field]));

function namedTicketKey({ spec, metadata: { namespace } }: VpnGateway): readonly Key[] {
  return spec.ticketKeyRef ? [{ kind: 'TicketKey', namespace, name: spec.ticketKeyRef.name }] : [];
}

/** Gateways whose `ticketKeyRef` names it. */
export function usersOf(
  { namespace, name }: { readonly namespace: string; readonly name: string },
  cluster: Pick<Cluster, 'list'>,
): readonly Key[] {
  const gateways = cluster.list('VpnGateway', { namespace }).filter(isGateway);
  return gateways.filter(({ spec }) => spec.ticketKeyRef?.name === name).map(keyOf);
}

function podKeys({ metadata: { namespace, labels } }: Manifest, cluster: Pick<Cluster, 'list'>): readonly Key[] {
  const gateway = labels?.[GATEWAY_LABEL];
  const ring = labels?.[KEY_RING_LABEL];
  const ticketKeys = cluster.list('TicketKey', { namespace }).filter(isTicketKey);
  const ringOwners = ticketKeys.filter((ticketKey) => ringRef(ticketKey).name === ring).map(keyOf);
  return gateway ? [{ kind: 'VpnGateway', namespace, name: gateway }, ...ringOwners] : ringOwners;
}

function owners({ metadata }: Manifest): readonly Key[] {
  return (metadata.ownerReferences ?? []).flatMap(({ kind, name }) => {
    const known = RESOURCE_KINDS.find((candidate) => candidate === kind);
    return known ? [{ kind: known, namespace: metadata.namespace, name }] : [];
  });
}

function keyOf({
  kind,
  metadata: { namespace, name },
}: {
  kind: ResourceKind;
  metadata: { namespace: string; name: string };
}): Key {
  return { kind, namespace, name };
}
