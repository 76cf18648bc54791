/** The part of `gateway.yaml` that says how clients prove who they are: rules, and the RADIUS servers that some of them ask. */
import { address, prefix } from './address.ts';
import type { AuthenticationRule, RadiusConfig, RadiusServer } from './authentication.ts';
import { domain } from './domain.ts';
import { duration } from './duration.ts';
import { identityPattern } from './identity-pattern.ts';
import type { Place } from './problem.ts';
import { boolean, checked, integer, list, maybe, oneOf, optional, record, required, type Shape, text } from './schema.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;

/** Of one identity, on one pod: a phone that changes networks leaves some behind that end by themselves. */
const SESSIONS = 10;

/** In the folder of the credentials that it belongs to. */
const fileName = text(
  'the name of a file',
  /^(?!\.)[\w.-]{1,253}$/,
  'write the name without a folder: letters, digits, dots and dashes',
);

const rule: Shape<AuthenticationRule> = record<AuthenticationRule>({
  name: required(text('a name', /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'write 1 to 63 lower-case letters, digits and dashes')),
  method: required(oneOf('psk', 'certificate', 'eap-mschapv2', 'eap-tls', 'eap-radius')),
  identities: optional(list(identityPattern, { max: 256 }), []),
  authorities: optional(list(fileName, { max: 16 }), []),
  eapOnly: optional(boolean, false),
  pools: optional(list(prefix, { max: 16 }), []),
  routes: maybe(list(prefix, { max: 64 })),
  dns: maybe(list(address, { max: 8 })),
  domains: maybe(list(domain, { max: 32 })),
  rekeyMs: maybe(duration(), 'rekey'),
  reauthenticationMs: maybe(duration(SECOND), 'reauthentication'),
  uniqueness: optional(oneOf('keep', 'replace', 'refuse'), 'keep'),
  maxSessions: optional(integer(1, 100_000), SESSIONS),
});

/** Everybody with a pre-shared key, as before there were rules. */
export const DEFAULT_RULES: readonly AuthenticationRule[] = [
  {
    ...{ name: 'psk', method: 'psk', identities: [], authorities: [], eapOnly: false, pools: [] },
    ...{ routes: undefined, dns: undefined, domains: undefined, rekeyMs: undefined, reauthenticationMs: undefined },
    ...{ uniqueness: 'keep', maxSessions: SESSIONS },
  },
];

export const authenticationRules: Shape<readonly AuthenticationRule[]> = checked(
  list(rule, { min: 1, max: 32 }),
  (rules, place) => {
    rules.forEach((one, index) => {
      checkNames(rules, index, place);
      checkMethod(one, place.at(index));
    });
  },
);

function checkNames(rules: readonly AuthenticationRule[], index: number, place: Place): void {
  const first = rules.findIndex(({ name }) => name === rules[index]?.name);
  if (first < index)
    place
      .at(index)
      .at('name')
      .refuse(`the same as that of rule ${first + 1}: "${rules[first]?.name}"`, 'give each rule a name of its own');
}

/** What would silently do nothing is refused. */
function checkMethod({ method, authorities, eapOnly }: AuthenticationRule, place: Place): void {
  if (authorities.length > 0 && method !== 'certificate' && method !== 'eap-tls')
    place.at('authorities').refuse(`given, but the method is ${method}`, 'remove it; it is for certificate and eap-tls');
  if (eapOnly && !method.startsWith('eap-'))
    place.at('eapOnly').refuse(`true, but the method is ${method}`, 'remove it; it is for EAP');
}

const port = integer(1, 65_535);

const server = record<RadiusServer>({
  host: required(text('a host name or address', /^[\w.:-]{1,253}$/, 'write for instance radius.example.com or 192.0.2.7')),
  port: optional(port, 1812),
  accountingPort: optional(port, 1813),
  secret: required(fileName),
});

export const radiusConfig: Shape<RadiusConfig> = record<RadiusConfig>({
  servers: required(list(server, { min: 1, max: 8 })),
  timeoutMs: optional(duration(100, MINUTE), 2 * SECOND, 'timeout'),
  attempts: optional(integer(1, 10), 3),
  nasIdentifier: optional(text('a NAS identifier', /^[!-~]{1,253}$/, 'write 1 to 253 visible ASCII characters'), 'rekindle'),
  accounting: optional(boolean, false),
  // RFC 2869 §2.1: an interval below a minute is not for servers; zero leaves it to the server.
  interimMs: optional(checked(duration(0, DAY), atLeastAMinute), 0, 'interim'),
});

function atLeastAMinute(ms: number, place: Place): void {
  if (ms > 0 && ms < MINUTE) place.refuse(`shorter than a minute`, 'write at least 1m, or 0s for what the server says');
}
