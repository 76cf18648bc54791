/** At most one pod is away on purpose; a pod that does not work anyway may always go. */
import type { VpnGateway } from '../../../crds/v1alpha1/vpngateway.ts';
import type { Manifest } from '../plan.ts';
import { childMetadata, selectorOf } from './ownership.ts';

export const podDisruptionBudget = (gateway: VpnGateway): Manifest => ({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: childMetadata(gateway, gateway.metadata.name),
  spec: {
    maxUnavailable: 1,
    unhealthyPodEvictionPolicy: 'AlwaysAllow',
    selector: { matchLabels: selectorOf(gateway) },
  },
});
