/** Who owns a child, and by which labels it is known. Labels of Argo CD, Flux or Helm are never handed down. */
import type { TicketKey } from '../../../crds/v1alpha1/ticketkey.ts';
import type { VpnGateway } from '../../../crds/v1alpha1/vpngateway.ts';
import { GATEWAY_LABEL } from '../names.ts';
import type { Manifest, Metadata, OwnerReference } from '../plan.ts';

export const ownLabels = { 'app.kubernetes.io/name': 'rekindle', 'app.kubernetes.io/managed-by': 'rekindle-operator' } as const;

export const gatewayLabels = ({ metadata }: VpnGateway) => ({
  ...ownLabels,
  'app.kubernetes.io/component': 'gateway',
  [GATEWAY_LABEL]: metadata.name,
});

export const ownerOf = ({ apiVersion, kind, metadata }: VpnGateway | TicketKey): OwnerReference => ({
  apiVersion,
  kind,
  name: metadata.name,
  uid: metadata.uid,
  controller: true,
  blockOwnerDeletion: true,
});

export const owns = (owner: VpnGateway | TicketKey, child: Manifest): boolean => controllerOf(child)?.uid === owner.metadata.uid;

/** A ring's Secret that was put back from a backup has no owner, or an earlier life of the same one. */
export function ownsOrMayAdopt(owner: VpnGateway | TicketKey, child: Manifest): boolean {
  const controller = controllerOf(child);
  return !controller || (controller.kind === owner.kind && controller.name === owner.metadata.name);
}

const controllerOf = ({ metadata }: Manifest): OwnerReference | undefined =>
  metadata.ownerReferences?.find(({ controller }) => controller === true);

export const childMetadata = (gateway: VpnGateway, name: string): Metadata => ({
  name,
  namespace: gateway.metadata.namespace,
  labels: gatewayLabels(gateway),
  ownerReferences: [ownerOf(gateway)],
});

/** Picks the pods of a gateway. */
export const selectorOf = ({ metadata }: VpnGateway) => ({ [GATEWAY_LABEL]: metadata.name });
