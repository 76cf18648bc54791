/** gateway.yaml for the pods; a Secret because it says who may connect from where and what is behind the gateway. */
import type { VpnGateway } from '../../../crds/v1alpha1/vpngateway.ts';
import type { GatewayConfig } from '../../../sidecar/contract/gateway-config.ts';
import { encodeGatewayConfig } from '../../../sidecar/contract/gateway-yaml.ts';
import { configSecret as nameOf } from '../names.ts';
import type { Manifest } from '../plan.ts';
import { gatewayLabels, ownerOf } from './ownership.ts';
import { secretManifest } from './secret.ts';

export const CONFIG_FILE = 'gateway.yaml';

export const configSecret = (gateway: VpnGateway, config: GatewayConfig): Manifest =>
  secretManifest(
    { apiVersion: 'v1', kind: 'Secret', namespace: gateway.metadata.namespace, name: nameOf(gateway.metadata.name) },
    { labels: gatewayLabels(gateway), ownerReferences: [ownerOf(gateway)] },
    { [CONFIG_FILE]: encodeGatewayConfig(config) },
  );
