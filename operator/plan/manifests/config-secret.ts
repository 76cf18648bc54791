/**
 * gateway.yaml for the sidecars and dataplane.yaml for the agents; a Secret because they say who may connect from where and what is behind the
 * gateway. Each container gets its own file only.
 */
import type { VpnGateway } from '../../../crds/v1alpha1/vpngateway.ts';
import type { DataplaneConfig } from '../../../sidecar/contract/dataplane-config.ts';
import { encodeDataplaneConfig } from '../../../sidecar/contract/dataplane-yaml.ts';
import type { GatewayConfig } from '../../../sidecar/contract/gateway-config.ts';
import { encodeGatewayConfig } from '../../../sidecar/contract/gateway-yaml.ts';
import { configSecret as nameOf } from '../names.ts';
import type { Manifest } from '../plan.ts';
import { gatewayLabels, ownerOf } from './ownership.ts';
import { secretManifest } from './secret.ts';

export const CONFIG_FILE = 'gateway.yaml';
export const DATAPLANE_FILE = 'dataplane.yaml';

export const configSecret = (gateway: VpnGateway, config: GatewayConfig, dataplane: DataplaneConfig): Manifest =>
  secretManifest(
    { apiVersion: 'v1', kind: 'Secret', namespace: gateway.metadata.namespace, name: nameOf(gateway.metadata.name) },
    { labels: gatewayLabels(gateway), ownerReferences: [ownerOf(gateway)] },
    { [CONFIG_FILE]: encodeGatewayConfig(config), [DATAPLANE_FILE]: encodeDataplaneConfig(dataplane) },
  );
