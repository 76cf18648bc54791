/** Gives each pod a name by which its siblings find it, from before it is ready until it is gone. */
import type { VpnGateway } from '../../../crds/v1alpha1/vpngateway.ts';
import { headlessService as nameOf } from '../names.ts';
import type { Manifest, Placement } from '../plan.ts';
import { childMetadata, selectorOf } from './ownership.ts';

export const headlessService = (gateway: VpnGateway, { peerPort, httpPort }: Placement): Manifest => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: childMetadata(gateway, nameOf(gateway.metadata.name)),
  spec: {
    clusterIP: 'None',
    ipFamilyPolicy: 'PreferDualStack',
    publishNotReadyAddresses: true,
    selector: selectorOf(gateway),
    ports: [
      { name: 'peer', protocol: 'TCP', port: peerPort, targetPort: 'peer' },
      { name: 'http', protocol: 'TCP', port: httpPort, targetPort: 'http' },
    ],
  },
});
