/** A ServiceAccount without a token: a gateway pod has no business with the API server. */
import type { VpnGateway } from '../../../crds/v1alpha1/vpngateway.ts';
import type { Manifest } from '../plan.ts';
import { childMetadata } from './ownership.ts';

export const serviceAccount = (gateway: VpnGateway): Manifest => ({
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: childMetadata(gateway, gateway.metadata.name),
  automountServiceAccountToken: false,
});
