/** What of the configuration is taken at start only. */
import type { GatewayConfig } from '../contract/gateway-config.ts';

/** Paths in gateway.yaml. */
export function restartNeeds(began: GatewayConfig, now: GatewayConfig): readonly string[] {
  const fields = {
    'listen.ikePort': (config: GatewayConfig) => config.listen.ikePort,
    'listen.natPort': (config: GatewayConfig) => config.listen.natPort,
    'listen.httpPort': (config: GatewayConfig) => config.listen.httpPort,
    'listen.peerPort': (config: GatewayConfig) => config.listen.peerPort,
    dataplane: (config: GatewayConfig) => config.dataplane,
    crypto: (config: GatewayConfig) => config.crypto,
  };
  return Object.entries(fields).flatMap(([path, of]) => (of(began) === of(now) ? [] : [path]));
}
