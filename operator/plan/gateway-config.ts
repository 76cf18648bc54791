/** gateway.yaml from a VpnGateway, its TicketKey and where it runs. */
import { parseSpan } from '../../crds/v1alpha1/time.ts';
import type { VpnGateway, VpnGatewaySpec } from '../../crds/v1alpha1/vpngateway.ts';
import { ADDITIONAL_KEY_EXCHANGE, ENCRYPTION, INTEGRITY, KEY_EXCHANGE, PRF } from '../../sidecar/contract/algorithms.ts';
import type { GatewayConfig, Retransmit } from '../../sidecar/contract/gateway-config.ts';
import { parseIdentity } from '../../sidecar/contract/identity.ts';
import { authenticationRules, radiusConfig } from './authentication.ts';
import type { Placement } from './plan.ts';

/** Gives up after half a minute. */
const RETRANSMIT: Retransmit = { firstMs: 500, factor: 2, attempts: 6 };
const NO_KEY_EXCHANGE = 0;

/** `replicas`: how many siblings there are. */
export function gatewayConfig(
  gateway: VpnGateway,
  ticketLifetimeMs: number,
  replicas: number,
  placement: Placement,
): GatewayConfig {
  const { metadata, spec } = gateway;
  const { ikePort, natPort, httpPort, peerPort } = placement;
  return {
    generation: metadata.generation,
    name: `${metadata.namespace}/${metadata.name}`,
    audience: spec.ticketAudience ?? metadata.uid,
    identity: parseIdentity(spec.identity),
    listen: { ikePort, natPort, httpPort, peerPort },
    peers: { host: peerHost(gateway, placement), replicas: Math.max(1, replicas) },
    pools: spec.pools.map(({ cidr }) => ({ cidr })),
    slices: spec.maxReplicas,
    dns: spec.dns ?? [],
    routes: spec.routes,
    domains: spec.domains ?? [],
    authentication: authenticationRules(spec),
    radius: radiusConfig(gateway),
    revocation: spec.authentication.revocation,
    mobike: spec.mobike,
    childless: spec.childless,
    redirect: spec.redirect && { to: parseIdentity(spec.redirect.to), when: spec.redirect.when },
    ike: ike(spec),
    esp: esp(spec),
    tickets: {
      enabled: spec.tickets.enabled,
      lifetimeMs: ticketLifetimeMs,
      revokeOnDelete: spec.tickets.revokeOnDelete,
      acceptLibreswanAuth: spec.tickets.acceptLibreswanAuth,
      withoutNatDetection: spec.tickets.withoutNatDetection,
      revokedIdentities: (spec.tickets.revokedIdentities ?? []).map(parseIdentity),
      maxSpent: spec.tickets.maxSpent,
    },
    // What the agent runs, which has it from dataplane.yaml.
    dataplane: 'auto',
    crypto: spec.crypto,
  };
}

const peerHost = ({ metadata }: VpnGateway, { peerHost: template }: Placement): string =>
  template.replaceAll('{name}', metadata.name).replaceAll('{namespace}', metadata.namespace);

const ike = ({ ike, dpd, limits, authentication }: VpnGatewaySpec): GatewayConfig['ike'] => ({
  algorithms: {
    encryption: ike.encryption.map((word) => ENCRYPTION[word]),
    integrity: ike.integrity.map((word) => INTEGRITY[word]),
    prf: ike.prf.map((word) => PRF[word]),
    keyExchange: ike.keyExchange.map((word) => KEY_EXCHANGE[word]),
    additionalKeyExchange: ike.additionalKeyExchange.map((word) => ADDITIONAL_KEY_EXCHANGE[word]),
  },
  postQuantum: ike.postQuantum,
  ppk: authentication.ppk?.required ? 'required' : 'ifKnown',
  rekeyMs: parseSpan(ike.rekey),
  reauthenticationMs: parseSpan(ike.reauthentication),
  halfOpenMs: parseSpan(ike.halfOpen),
  deadPeerMs: parseSpan(dpd.interval),
  retransmit: RETRANSMIT,
  cookieThreshold: limits.cookieThreshold,
  maxHalfOpen: limits.halfOpen,
  maxSessions: limits.sessions,
  fragmentBytes: ike.fragmentBytes,
});

const esp = ({ esp }: VpnGatewaySpec): GatewayConfig['esp'] => ({
  algorithms: {
    encryption: esp.encryption.map((word) => ENCRYPTION[word]),
    integrity: esp.integrity.map((word) => INTEGRITY[word]),
    prf: [],
    keyExchange: esp.keyExchange.map((word) => (word === 'none' ? NO_KEY_EXCHANGE : KEY_EXCHANGE[word])),
    additionalKeyExchange: esp.additionalKeyExchange.map((word) => ADDITIONAL_KEY_EXCHANGE[word]),
  },
  rekeyMs: parseSpan(esp.rekey),
  lifetimeBytes: esp.lifetimeBytes,
  // Services and load balancers carry UDP, and clients behind them see a NAT in any case.
  forceEncapsulation: true,
});
