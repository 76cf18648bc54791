/** `gateway.yaml` as text: parsed whole or refused whole, with every problem; written by the operator, readable by people. */
import { address, overlap, parsePrefix, prefix } from './address.ts';
import { DEFAULT_ESP_ALGORITHMS, DEFAULT_IKE_ALGORITHMS, espAlgorithms, ikeAlgorithms } from './algorithms.ts';
import { authenticationRules, DEFAULT_RULES, radiusConfig } from './authentication-yaml.ts';
import { domain } from './domain.ts';
import { duration } from './duration.ts';
import type { GatewayConfig } from './gateway-config.ts';
import { ID_FQDN, ID_IPV4_ADDR, ID_IPV6_ADDR, identity } from './identity.ts';
import type { Parsed, Place } from './problem.ts';
import {
  boolean,
  checked,
  integer,
  list,
  maybe,
  number,
  oneOf,
  optional,
  record,
  required,
  type Shape,
  sparse,
  text,
} from './schema.ts';
import { encodeYaml, parseEndedYaml } from './yaml.ts';

/** `file` names it in problems. */
export const parseGatewayConfig = (file: string, yaml: string): Parsed<GatewayConfig> =>
  parseEndedYaml(gatewayConfig, file, yaml);
export const encodeGatewayConfig = (config: GatewayConfig): string => encodeYaml(gatewayConfig, config);

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

const label = (what: string): Shape<string> =>
  text(what, /^[!-~]{1,253}$/, 'write 1 to 253 visible ASCII characters without spaces');
/** 0 lets the system choose, for tests. */
const port = integer(0, 65_535);
const count = integer(0, 10_000_000);

const listen = record<GatewayConfig['listen']>({
  ikePort: optional(port, 500),
  natPort: optional(port, 4500),
  httpPort: optional(port, 8080),
  peerPort: optional(port, 8081),
});

const peers = checked(
  record<GatewayConfig['peers']>({
    host: optional(text('a host name', /^[\w.:{}-]{1,253}$/, 'write a name or address with {ordinal} in it'), 'localhost'),
    replicas: optional(integer(1, 255), 1),
  }),
  ({ host, replicas }, place) => {
    if (replicas > 1 && !host.includes('{ordinal}')) {
      place
        .at('host')
        .refuse(`the same for all ${replicas} pods: "${host}"`, 'write {ordinal} where the number of the pod belongs');
    }
  },
);

const retransmit = record<GatewayConfig['ike']['retransmit']>({
  firstMs: optional(duration(10, MINUTE), 500, 'first'),
  factor: optional(number(1, 10), 2),
  attempts: optional(integer(1, 20), 5),
});

const ike = record<GatewayConfig['ike']>({
  algorithms: optional(ikeAlgorithms, DEFAULT_IKE_ALGORITHMS),
  postQuantum: optional(oneOf('any', 'required'), 'any'),
  ppk: optional(oneOf('ifKnown', 'required'), 'ifKnown'),
  rekeyMs: optional(duration(), 4 * HOUR, 'rekey'),
  reauthenticationMs: optional(duration(SECOND), 24 * HOUR, 'reauthentication'),
  halfOpenMs: optional(duration(SECOND, 10 * MINUTE), 30 * SECOND, 'halfOpen'),
  deadPeerMs: optional(duration(SECOND), 30 * SECOND, 'deadPeer'),
  retransmit: sparse(retransmit),
  cookieThreshold: optional(count, 100),
  maxHalfOpen: optional(count, 10_000),
  maxSessions: optional(count, 100_000),
  // RFC 7383 §2.5.1: with IPv6, UDP and the non-ESP marker around it no more than the 1280 bytes that every path carries.
  fragmentBytes: optional(integer(256, 65_000), 1_228),
});

const esp = record<GatewayConfig['esp']>({
  algorithms: optional(espAlgorithms, DEFAULT_ESP_ALGORITHMS),
  rekeyMs: optional(duration(), HOUR, 'rekey'),
  lifetimeBytes: optional(integer(0, Number.MAX_SAFE_INTEGER), 2 ** 36),
  forceEncapsulation: optional(boolean, true),
});

const tickets = record<GatewayConfig['tickets']>({
  enabled: optional(boolean, true),
  lifetimeMs: optional(duration(SECOND), HOUR, 'lifetime'),
  revokeOnDelete: optional(boolean, false),
  acceptLibreswanAuth: optional(boolean, true),
  withoutNatDetection: optional(oneOf('accept', 'refuse'), 'accept'),
  revokedIdentities: optional(list(identity, { max: 10_000 }), []),
  maxSpent: optional(count, 100_000),
});

const redirect = record<NonNullable<GatewayConfig['redirect']>>({
  to: required(
    checked(identity, ({ idType }, place) => {
      // RFC 5685 §4: the new responder is named by an address or a domain name.
      if (![ID_IPV4_ADDR, ID_FQDN, ID_IPV6_ADDR].includes(idType))
        place.refuse('neither an address nor a domain name', 'write for instance vpn2.example.com or 192.0.2.7');
    }),
  ),
  when: optional(oneOf('always', 'overloaded'), 'overloaded'),
});

const fields = record<GatewayConfig>({
  generation: optional(integer(0, Number.MAX_SAFE_INTEGER), 0),
  name: required(label('a name')),
  audience: required(label('an audience')),
  identity: required(identity),
  listen: sparse(listen),
  peers: sparse(peers),
  pools: required(list(record({ cidr: required(prefix) }), { max: 16 })),
  slices: optional(integer(1, 255), 1),
  dns: optional(list(address, { max: 8 }), []),
  routes: required(list(prefix, { max: 64 })),
  domains: optional(list(domain, { max: 32 }), []),
  authentication: optional(authenticationRules, DEFAULT_RULES),
  radius: maybe(radiusConfig),
  revocation: optional(oneOf('ifKnown', 'required'), 'ifKnown'),
  mobike: optional(boolean, true),
  childless: optional(oneOf('allow', 'never'), 'allow'),
  redirect: maybe(redirect),
  ike: sparse(ike),
  esp: sparse(esp),
  tickets: sparse(tickets),
  dataplane: optional(oneOf('auto', 'kernel', 'userspace', 'none'), 'auto'),
  crypto: optional(oneOf('auto', 'noble', 'openssl'), 'auto'),
});

const gatewayConfig: Shape<GatewayConfig> = checked(fields, (config, place) => {
  distinctPorts(config, place);
  fittingPools(config, place);
  fittingRules(config, place);
  if (config.slices < config.peers.replicas) {
    place.at('slices').refuse(`fewer than the ${config.peers.replicas} replicas`, 'give each replica a slice of the pools');
  }
  if (config.dataplane === 'userspace' && !config.esp.forceEncapsulation) {
    place.at('esp').at('forceEncapsulation').refuse('false, but ESP in user space travels in UDP only', 'write true');
  }
});

function distinctPorts({ listen }: GatewayConfig, place: Place): void {
  const pairs = [
    ['natPort', 'ikePort'],
    ['peerPort', 'httpPort'],
  ] as const;
  for (const [one, other] of pairs) {
    if (listen[one] !== 0 && listen[one] === listen[other]) {
      place.at('listen').at(one).refuse(`the same as ${other}: ${listen[one]}`, 'choose another port');
    }
  }
}

/** A slice must hold at least one address beside those of network and gateway. */
function fittingPools({ pools, slices }: GatewayConfig, place: Place): void {
  const parsed = pools.flatMap(({ cidr }) => parsePrefix(cidr) ?? []);
  parsed.forEach((pool, index) => {
    const at = place.at('pools').at(index).at('cidr');
    const free = pool.address.length * 8 - pool.bits;
    if (2 ** free < 4 * slices) {
      const bits = pool.address.length * 8 - 2 - Math.ceil(Math.log2(slices));
      at.refuse(`too small for ${slices} slices: "${pools[index]?.cidr}"`, `use a prefix of length ${bits} or shorter`);
    }
    const other = parsed.findIndex((earlier) => overlap(earlier, pool));
    if (other < index) at.refuse(`overlaps with pools[${other}]: "${pools[index]?.cidr}"`, 'use prefixes that share no address');
  });
}

/** A rule names what the gateway has. */
function fittingRules({ authentication, pools, radius }: GatewayConfig, place: Place): void {
  const known = pools.map(({ cidr }) => cidr);
  authentication.forEach((rule, index) => {
    const at = place.at('authentication').at(index);
    rule.pools.forEach((cidr, position) => {
      if (!known.includes(cidr))
        at.at('pools')
          .at(position)
          .refuse(`not a pool of this gateway: "${cidr}"`, `write one of ${known.join(', ')}`);
    });
    if (rule.method === 'eap-radius' && !radius)
      at.at('method').refuse('eap-radius, but no RADIUS server is named', 'name one below radius.servers');
  });
}
