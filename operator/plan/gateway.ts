/** The plan for a VpnGateway. */
import type { GatewayObserved, Plan } from './plan.ts';

export function planGateway(_observed: GatewayObserved): Plan {
  throw new Error('not written yet');
}
