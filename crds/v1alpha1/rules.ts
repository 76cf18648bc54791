/** The validation rules of the custom resources once more in TypeScript, by their messages, for where no API server evaluates CEL. */
import { authenticationRules } from './authentication-rules.ts';
import { type Predicate, rule } from './predicate.ts';
import { contains, isAddress, isMasked, parsePrefix } from './prefix.ts';
import type { TicketKeySpec } from './ticketkey.ts';
import { parseSpan } from './time.ts';
import type { VpnGatewaySpec } from './vpngateway.ts';

const NAME_LENGTH = 52;
const ADDRESSES_PER_POD = 4;
const RETIRED_KEYS = 32;
const IPV6_MTU = 1_280;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** `maxReplicas` rounded up to a power of two, as slices of a prefix are. */
const slicesOf = (maxReplicas: number): number => 2 ** Math.ceil(Math.log2(maxReplicas));

export const rules: Readonly<Record<string, Predicate>> = {
  'the name is longer than 52 characters; shorten it, since names of other objects are made from it': rule<{
    metadata: { name: string };
  }>(({ metadata }) => metadata.name.length <= NAME_LENGTH),

  'rotationInterval is too short; write at least 1m': rule<TicketKeySpec>(
    ({ rotationInterval }) => parseSpan(rotationInterval) >= MINUTE,
  ),
  'ticketLifetime is out of bounds; write 1m to 168h': rule<TicketKeySpec>(({ ticketLifetime }) =>
    within(ticketLifetime, MINUTE, 168 * HOUR),
  ),
  'tickets would outlive the key that opens them; write a ticketLifetime shorter than retiredKeyLifetime, or leave retiredKeyLifetime out':
    rule<TicketKeySpec>(
      ({ ticketLifetime, retiredKeyLifetime: retired }) =>
        retired === undefined || parseSpan(ticketLifetime) < parseSpan(retired),
    ),
  'retiredKeyLifetime is too long; write at most 336h': rule<TicketKeySpec>(
    ({ retiredKeyLifetime: retired }) => retired === undefined || parseSpan(retired) <= 336 * HOUR,
  ),
  'the ring would hold more than 32 retired keys; write a rotationInterval of at least a thirty-second of the time a retired key stays':
    rule<TicketKeySpec>(
      ({ rotationInterval, retiredKeyLifetime, ticketLifetime }) =>
        parseSpan(retiredKeyLifetime ?? ticketLifetime) <= parseSpan(rotationInterval) * RETIRED_KEYS,
    ),
  'ackTimeout is too short; write at least 10s': rule<TicketKeySpec>(({ ackTimeout }) => parseSpan(ackTimeout) >= 10_000),

  'replicas is above maxReplicas; lower it, or make a new VpnGateway with a higher maxReplicas': rule<VpnGatewaySpec>(
    ({ replicas, maxReplicas }) => replicas === undefined || replicas <= maxReplicas,
  ),
  'a pool has fewer than four addresses for each of maxReplicas pods; write a shorter prefix or a lower maxReplicas':
    rule<VpnGatewaySpec>(({ pools, maxReplicas }) => pools.every(({ cidr }) => suffices(cidr, maxReplicas))),
  'pools overlap; write prefixes that share no address': rule<VpnGatewaySpec>(({ pools }) =>
    pools.every(({ cidr: p }) => pools.every(({ cidr: q }) => p === q || !holds(p, q))),
  ),
  // RFC 8200 §5: every link carries 1280 bytes.
  'IPv6 needs packets of 1280 bytes; write a traffic.mtu of at least 1280, or IPv4 pools only': rule<VpnGatewaySpec>(
    ({ traffic: { mtu = IPV6_MTU }, pools }) => mtu >= IPV6_MTU || pools.every(({ cidr }) => parsePrefix(cidr)?.width !== 128),
  ),
  'externalTrafficPolicy works only with exposure LoadBalancer; remove it': rule<VpnGatewaySpec>(
    ({ exposure, service }) => exposure === 'LoadBalancer' || service.externalTrafficPolicy === undefined,
  ),
  'loadBalancerClass works only with exposure LoadBalancer; remove it': rule<VpnGatewaySpec>(
    ({ exposure, service }) => exposure === 'LoadBalancer' || service.loadBalancerClass === undefined,
  ),
  'sourceRanges works only with exposure LoadBalancer; remove it': rule<VpnGatewaySpec>(
    ({ exposure, service }) => exposure === 'LoadBalancer' || service.sourceRanges === undefined,
  ),
  'maxReplicas cannot be changed, since it divides the address pools; put the old value back or make a new VpnGateway':
    rule<number>((self, old) => old === undefined || self === old),
  'not an identity; write an address, a domain name, user@domain, or keyid and an even number of hexadecimal digits as in keyid:0a0b':
    rule<string>(isIdentity),
  'not an IPv4 or IPv6 address; write it like 10.8.0.1 or 2001:db8::1': rule<string>(isAddress),
  'not a domain name or address; write for instance vpn2.example.com or 192.0.2.7': rule<string>(isHost),
  ...prefixRules('10.8.0.0/24'),
  ...prefixRules('10.0.0.0/8'),
  ...prefixRules('192.0.2.0/24'),

  'aes256 and aes128 in ike.encryption need an integrity algorithm; name one in ike.integrity or remove them':
    rule<VpnGatewaySpec>(({ ike }) => isComplete(ike)),
  'aes256 and aes128 in esp.encryption need an integrity algorithm; name one in esp.integrity or remove them':
    rule<VpnGatewaySpec>(({ esp }) => isComplete(esp)),
  'ike.rekey is too short; write 0s (never) or at least 1m': rule<VpnGatewaySpec>(({ ike }) => isNeverOrLong(ike.rekey)),
  'esp.rekey is too short; write 0s (never) or at least 1m': rule<VpnGatewaySpec>(({ esp }) => isNeverOrLong(esp.rekey)),
  'ike.reauthentication is too short; write at least 5m': rule<VpnGatewaySpec>(
    ({ ike }) => parseSpan(ike.reauthentication) >= 5 * MINUTE,
  ),
  'ike.halfOpen is out of bounds; write 5s to 10m': rule<VpnGatewaySpec>(({ ike }) => within(ike.halfOpen, 5_000, 10 * MINUTE)),
  ...authenticationRules,

  'dpd.interval is too short; write at least 5s': rule<VpnGatewaySpec>(({ dpd }) => parseSpan(dpd.interval) >= 5_000),
};

function prefixRules(example: string): Record<string, Predicate> {
  return {
    [`not an IPv4 or IPv6 prefix; write it as address/length, for instance ${example}`]: rule<string>(
      (text) => parsePrefix(text) !== undefined,
    ),
    [`bits are set behind the prefix; write its first address, for instance ${example}`]: rule<string>((text) => {
      const prefix = parsePrefix(text);
      return !prefix || isMasked(prefix);
    }),
  };
}

function within(span: string, min: number, max: number): boolean {
  const ms = parseSpan(span);
  return ms >= min && ms <= max;
}

const isNeverOrLong = (span: string): boolean => parseSpan(span) === 0 || parseSpan(span) >= MINUTE;

/** CBC does not protect integrity by itself. */
const isComplete = ({ encryption, integrity }: Pick<VpnGatewaySpec['esp'], 'encryption' | 'integrity'>): boolean =>
  integrity.length > 0 || !encryption.some((word) => word === 'aes256' || word === 'aes128');

function suffices(cidr: string, maxReplicas: number): boolean {
  const prefix = parsePrefix(cidr);
  return !prefix || 2 ** (prefix.width - prefix.length) >= slicesOf(maxReplicas) * ADDRESSES_PER_POD;
}

function holds(outer: string, inner: string): boolean {
  const [p, q] = [parsePrefix(outer), parsePrefix(inner)];
  return p !== undefined && q !== undefined && contains(p, q);
}

function isIdentity(text: string): boolean {
  return /^keyid:([0-9a-f][0-9a-f])+$/.test(text) || /^[!-?A-~]+@[A-Za-z0-9_.-]+$/.test(text) || isHost(text);
}

function isHost(text: string): boolean {
  return isAddress(text) || (/^[A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)*[.]?$/.test(text) && /[A-Za-z]/.test(text));
}
