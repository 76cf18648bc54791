/** The validation rules of `spec.authentication` in TypeScript, by their messages; beside those of rules.ts. */
import { type Predicate, rule } from './predicate.ts';
import { parseSpan } from './time.ts';
import type { VpnGatewaySpec } from './vpngateway.ts';

type Authentication = VpnGatewaySpec['authentication'];
type Rule = NonNullable<Authentication['rules']>[number];
type Authority = NonNullable<Authentication['authorities']>[number];
type Radius = NonNullable<Authentication['radius']>;

const MINUTE = 60_000;

export const authenticationRules: Readonly<Record<string, Predicate>> = {
  'nobody could come in; add psk, eap, radius, or certificate with authorities': rule<Authentication>(
    (given) => Boolean(given.psk ?? given.eap ?? given.radius) || hasTrust(given),
  ),
  'with eap the gateway proves itself by a certificate; add certificate.secretRef': rule<Authentication>(
    ({ eap, certificate }) => !eap || certificate !== undefined,
  ),
  'with radius the gateway proves itself by a certificate; add certificate.secretRef, or set eapOnly in each rule with eap-radius':
    rule<Authentication>(
      ({ radius, certificate, rules }) =>
        !radius || certificate !== undefined || rules?.every((one) => one.method !== 'eap-radius' || one.eapOnly) === true,
    ),
  'a rule has the method psk, but there are no pre-shared keys; add psk.secretRef or remove the rule': rule<Authentication>(
    ({ psk, rules }) => psk !== undefined || !uses(rules, 'psk'),
  ),
  "a rule has the method certificate or eap-tls, which needs the gateway's certificate and authorities; add certificate and authorities or remove the rule":
    rule<Authentication>((given) => hasTrust(given) || !uses(given.rules, 'certificate', 'eap-tls')),
  'a rule has the method eap-mschapv2, but there are no users; add eap.secretRef or remove the rule': rule<Authentication>(
    ({ eap, rules }) => eap !== undefined || !uses(rules, 'eap-mschapv2'),
  ),
  'a rule has the method eap-radius, but there is no RADIUS server; add radius.servers or remove the rule': rule<Authentication>(
    ({ radius, rules }) => radius !== undefined || !uses(rules, 'eap-radius'),
  ),
  'a rule names an authority that is not there; write names of authentication.authorities': rule<Authentication>(
    ({ rules = [], authorities = [] }) =>
      rules.flatMap((one) => one.authorities ?? []).every((named) => authorities.some(({ name }) => name === named)),
  ),
  'a rule names a pool that the gateway does not have; write a cidr of spec.pools': rule<VpnGatewaySpec>(
    ({ authentication: { rules = [] }, pools }) =>
      rules.flatMap((one) => one.pools ?? []).every((named) => pools.some(({ cidr }) => cidr === named)),
  ),

  'neither or both of secretRef and configMapRef; write one of them': rule<Authority>(
    ({ secretRef, configMapRef }) => (secretRef === undefined) !== (configMapRef === undefined),
  ),

  'authorities are for the methods certificate and eap-tls; remove them': rule<Rule>(
    ({ authorities, method }) => authorities === undefined || method === 'certificate' || method === 'eap-tls',
  ),
  'eapOnly is for methods of EAP; remove it': rule<Rule>(({ eapOnly, method }) => !eapOnly || method.startsWith('eap-')),
  'the rekey time of a rule is too short; write 0s (never) or at least 1m': rule<Rule>(
    ({ rekey }) => rekey === undefined || parseSpan(rekey) === 0 || parseSpan(rekey) >= MINUTE,
  ),
  'the reauthentication time of a rule is too short; write at least 5m': rule<Rule>(
    ({ reauthentication }) => reauthentication === undefined || parseSpan(reauthentication) >= 5 * MINUTE,
  ),

  'radius.timeout is out of bounds; write 1s to 1m': rule<Radius>(({ timeout }) => within(parseSpan(timeout), 1_000, MINUTE)),
  'radius.interim is out of bounds; write 0s (what the server says) or 1m to 24h': rule<Radius>(
    ({ interim }) => parseSpan(interim) === 0 || within(parseSpan(interim), MINUTE, 24 * 60 * MINUTE),
  ),
};

const hasTrust = ({ certificate, authorities }: Authentication): boolean =>
  certificate !== undefined && authorities !== undefined;

const uses = (rules: readonly Rule[] | undefined, ...methods: readonly Rule['method'][]): boolean =>
  rules?.some(({ method }) => methods.includes(method)) === true;

const within = (ms: number, min: number, max: number): boolean => ms >= min && ms <= max;
