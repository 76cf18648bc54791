/** The kinds that the operator knows, and where an API server has them. */
import { API_VERSION } from '../plan/names.ts';
import type { Ref } from '../plan/plan.ts';

const kinds = {
  VpnGateway: { apiVersion: API_VERSION, plural: 'vpngateways', namespaced: true },
  TicketKey: { apiVersion: API_VERSION, plural: 'ticketkeys', namespaced: true },
  Secret: { apiVersion: 'v1', plural: 'secrets', namespaced: true },
  ConfigMap: { apiVersion: 'v1', plural: 'configmaps', namespaced: true },
  Service: { apiVersion: 'v1', plural: 'services', namespaced: true },
  ServiceAccount: { apiVersion: 'v1', plural: 'serviceaccounts', namespaced: true },
  Pod: { apiVersion: 'v1', plural: 'pods', namespaced: true },
  Node: { apiVersion: 'v1', plural: 'nodes', namespaced: false },
  StatefulSet: { apiVersion: 'apps/v1', plural: 'statefulsets', namespaced: true },
  PodDisruptionBudget: { apiVersion: 'policy/v1', plural: 'poddisruptionbudgets', namespaced: true },
  NetworkPolicy: { apiVersion: 'networking.k8s.io/v1', plural: 'networkpolicies', namespaced: true },
  Event: { apiVersion: 'events.k8s.io/v1', plural: 'events', namespaced: true },
  Lease: { apiVersion: 'coordination.k8s.io/v1', plural: 'leases', namespaced: true },
} as const;

export type Kind = keyof typeof kinds;

export const KINDS: Readonly<
  Record<Kind, { readonly apiVersion: string; readonly plural: string; readonly namespaced: boolean }>
> = kinds;

export const isKind = (name: string): name is Kind => Object.hasOwn(KINDS, name);

export const apiVersionOf = (kind: Kind): string => KINDS[kind].apiVersion;

/** The path of all objects of a kind, in one namespace or everywhere. */
export function collectionPath(kind: Kind, namespace: string | undefined): string {
  const { apiVersion, plural, namespaced } = KINDS[kind];
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return namespaced && namespace ? `${root}/namespaces/${encodeURIComponent(namespace)}/${plural}` : `${root}/${plural}`;
}

/** The path of one object, or of a subresource of it. */
export function objectPath(ref: Ref, subresource?: 'status' | 'eviction'): string {
  const path = `${collectionPath(kindOf(ref), ref.namespace)}/${encodeURIComponent(ref.name)}`;
  return subresource ? `${path}/${subresource}` : path;
}

/** Throws for a kind that the operator has nothing to do with. */
export function kindOf({ kind }: { readonly kind: string }): Kind {
  if (!isKind(kind)) throw new Error(`the operator does not know the kind ${kind}`);
  return kind;
}
