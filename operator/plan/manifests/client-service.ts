/** Where clients connect: UDP 500 and 4500 (RFC 7296 §2.23), spread over the pods without affinity unless somebody asks for it. */
import type { VpnGateway } from '../../../crds/v1alpha1/vpngateway.ts';
import type { Manifest } from '../plan.ts';
import { childMetadata, selectorOf } from './ownership.ts';

export function clientService(gateway: VpnGateway): Manifest {
  const { exposure, service } = gateway.spec;
  const metadata = childMetadata(gateway, gateway.metadata.name);
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: service.annotations ? { ...metadata, annotations: service.annotations } : metadata,
    spec: {
      type: exposure === 'LoadBalancer' ? 'LoadBalancer' : 'ClusterIP',
      ipFamilyPolicy: 'PreferDualStack',
      sessionAffinity: service.affinity,
      selector: selectorOf(gateway),
      ports: [
        { name: 'ike', protocol: 'UDP', port: 500, targetPort: 'ike' },
        { name: 'ike-nat', protocol: 'UDP', port: 4500, targetPort: 'ike-nat' },
      ],
      ...(exposure === 'LoadBalancer' ? loadBalancer(service) : {}),
    },
  };
}

const loadBalancer = ({ externalTrafficPolicy, loadBalancerClass, sourceRanges }: VpnGateway['spec']['service']) => ({
  // Local keeps the addresses of clients, by which limits and logs tell them apart.
  externalTrafficPolicy: externalTrafficPolicy ?? 'Local',
  ...(loadBalancerClass === undefined ? {} : { loadBalancerClass }),
  ...(sourceRanges === undefined ? {} : { loadBalancerSourceRanges: sourceRanges }),
});
