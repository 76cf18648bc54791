/** Who may reach a gateway pod: clients by IKE and ESP, siblings for hand-off, siblings and the operator for /status. */
import type { VpnGateway } from '../../../crds/v1alpha1/vpngateway.ts';
import type { Manifest, Placement } from '../plan.ts';
import { childMetadata, selectorOf } from './ownership.ts';

/** What goes out is not restricted: it is the traffic of clients. */
export const networkPolicy = (
  gateway: VpnGateway,
  { ikePort, natPort, peerPort, httpPort, operatorNamespace }: Placement,
): Manifest => {
  const siblings = { podSelector: { matchLabels: selectorOf(gateway) } };
  const operator = {
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': operatorNamespace } },
    podSelector: { matchLabels: { 'app.kubernetes.io/name': 'rekindle', 'app.kubernetes.io/component': 'operator' } },
  };
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: childMetadata(gateway, gateway.metadata.name),
    spec: {
      podSelector: { matchLabels: selectorOf(gateway) },
      policyTypes: ['Ingress'],
      ingress: [
        { ports: [udp(ikePort), udp(natPort)] },
        { from: [siblings], ports: [tcp(peerPort)] },
        { from: [siblings, operator], ports: [tcp(httpPort)] },
      ],
    },
  };
};

const udp = (port: number) => ({ protocol: 'UDP', port });
const tcp = (port: number) => ({ protocol: 'TCP', port });
