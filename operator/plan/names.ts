/** Names of everything that belongs to a resource, and the labels and annotations by which it is found. */
import type { TicketKey } from '../../crds/v1alpha1/ticketkey.ts';
import type { VpnGateway } from '../../crds/v1alpha1/vpngateway.ts';
import type { Ref } from './plan.ts';

export const GROUP = 'vpn.rekindle.dev';
export const API_VERSION = `${GROUP}/v1alpha1`;

/** On every pod and child: the VpnGateway's name. */
export const GATEWAY_LABEL = `${GROUP}/gateway`;
/** On every pod: the name of the Secret with its key ring. */
export const KEY_RING_LABEL = `${GROUP}/key-ring`;
/** On every pod: a hash of the template that it was made from. */
export const TEMPLATE_LABEL = `${GROUP}/template`;

/** On every pod: the data plane that was asked for when it was made. It is taken at start only, so another one makes other pods. */
export const DATAPLANE_LABEL = `${GROUP}/dataplane`;

export const FINALIZER = `${GROUP}/in-use`;

/** The Secret that holds the ring: of the TicketKey itself, of the one that a gateway names, or the gateway's own. */
export function ringRef(resource: VpnGateway | TicketKey): Ref {
  const { namespace, name } = resource.metadata;
  if (resource.kind === 'TicketKey') return secret(namespace, ticketKeyRing(name));
  const shared = resource.spec.ticketKeyRef;
  return secret(namespace, shared ? ticketKeyRing(shared.name) : ownRing(name));
}

/** All objects that a gateway may own. */
export function childRefs({ metadata: { namespace, name } }: VpnGateway): readonly Ref[] {
  return [
    secret(namespace, configSecret(name)),
    secret(namespace, ownRing(name)),
    { apiVersion: 'v1', kind: 'ServiceAccount', namespace, name },
    { apiVersion: 'v1', kind: 'Service', namespace, name },
    { apiVersion: 'v1', kind: 'Service', namespace, name: headlessService(name) },
    { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', namespace, name },
    { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', namespace, name },
    { apiVersion: 'apps/v1', kind: 'StatefulSet', namespace, name },
  ];
}

export const configSecret = (gateway: string): string => `${gateway}-config`;
export const headlessService = (gateway: string): string => `${gateway}-peers`;
export const ownRing = (gateway: string): string => `${gateway}-key-ring`;
export const ticketKeyRing = (ticketKey: string): string => `${ticketKey}-ticket-key`;

const secret = (namespace: string, name: string): Ref => ({ apiVersion: 'v1', kind: 'Secret', namespace, name });
