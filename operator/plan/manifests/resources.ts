/** What a container reserves and must not exceed: as the spec says, with defaults where it says nothing. */
import type { VpnGatewaySpec } from '../../../crds/v1alpha1/vpngateway.ts';

type Quantities = Readonly<Record<string, number | string>>;

/** `devices`: of device plugins, which count as limits. */
export function requestsAndLimits(given: VpnGatewaySpec['pod']['resources'], requests: Quantities, devices: Quantities = {}) {
  const limits = { ...given?.limits, ...devices };
  return { requests: given?.requests ?? requests, ...(Object.keys(limits).length > 0 ? { limits } : {}) };
}
