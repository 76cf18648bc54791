/** dataplane.yaml from a VpnGateway: what the agent of a pod may do, whatever the sidecar beside it asks for. */
import type { VpnGateway, VpnGatewaySpec } from '../../crds/v1alpha1/vpngateway.ts';
import type { DataplaneConfig } from '../../sidecar/contract/dataplane-config.ts';
import type { Placement } from './plan.ts';

const TUN = 'rekindle0';
/** A pod has a network of its own. */
const NO_MARK = 0;
const FOUND_OUT = 0;

export function dataplaneConfig({ metadata, spec }: VpnGateway, { natPort }: Placement): DataplaneConfig {
  const { forwarding, isolateClients, mtu = FOUND_OUT, clampMss } = spec.traffic;
  return {
    generation: metadata.generation,
    name: `${metadata.namespace}/${metadata.name}`,
    dataplane: spec.dataplane,
    // Whole, and not the slice of one pod: a session that comes here keeps its address.
    pools: spec.pools.map(({ cidr }) => cidr),
    routes: reachable(spec),
    natPort,
    lifetimeBytes: spec.esp.lifetimeBytes,
    traffic: { forwarding, isolateClients, mtu, clampMss },
    // Which interfaces a pod has is known to its CNI alone.
    interfaces: [],
    tun: TUN,
    mark: NO_MARK,
  };
}

/** What any client may reach: rules can have routes of their own. A network that lies in 0.0.0.0/0 is not the same as not named, so all stay. */
const reachable = ({ routes, authentication: { rules = [] } }: VpnGatewaySpec): readonly string[] => [
  ...new Set([...routes, ...rules.flatMap((rule) => rule.routes ?? [])]),
];
