/** The pods by ordinal. All start at once, and only the operator replaces them, one by one through the eviction API. */
import type { VpnGateway } from '../../../crds/v1alpha1/vpngateway.ts';
import { headlessService } from '../names.ts';
import type { Manifest } from '../plan.ts';
import { childMetadata, selectorOf } from './ownership.ts';
import type { PodTemplate } from './pod-template.ts';

export const statefulSet = (gateway: VpnGateway, template: PodTemplate): Manifest => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: childMetadata(gateway, gateway.metadata.name),
  spec: {
    // Left out where an autoscaler sets it on the StatefulSet.
    ...(gateway.spec.replicas === undefined ? {} : { replicas: gateway.spec.replicas }),
    serviceName: headlessService(gateway.metadata.name),
    podManagementPolicy: 'Parallel',
    updateStrategy: { type: 'OnDelete' },
    revisionHistoryLimit: 2,
    selector: { matchLabels: selectorOf(gateway) },
    template,
  },
});
