/** The rules of authentication in gateway.yaml, from `spec.authentication`: those that it writes, or one for each credential that is given. */
import { parseSpan } from '../../crds/v1alpha1/time.ts';
import type { VpnGateway, VpnGatewaySpec } from '../../crds/v1alpha1/vpngateway.ts';
import type { AuthenticationMethod, AuthenticationRule, RadiusConfig } from '../../sidecar/contract/authentication.ts';

type Authentication = VpnGatewaySpec['authentication'];
type Rule = NonNullable<Authentication['rules']>[number];
type Server = NonNullable<Authentication['radius']>['servers'][number];

export const authenticationRules = ({ authentication }: VpnGatewaySpec): readonly AuthenticationRule[] =>
  (authentication.rules ?? methods(authentication).map((method): Rule => ({ name: method, method }))).map(rule);

/** Of methods of EAP there is one: a client does not say beforehand which it wants. */
function methods({ certificate, authorities, radius, eap, psk }: Authentication): readonly AuthenticationMethod[] {
  const ofEap = radius ? 'eap-radius' : eap ? 'eap-mschapv2' : 'eap-tls';
  const byCertificate = certificate !== undefined && authorities !== undefined;
  return [
    ...(byCertificate ? (['certificate'] as const) : []),
    ...(byCertificate || radius || eap ? ([ofEap] as const) : []),
    ...(psk ? (['psk'] as const) : []),
  ];
}

const rule = (given: Rule): AuthenticationRule => ({
  name: given.name,
  method: given.method,
  identities: given.identities ?? [],
  authorities: given.authorities ?? [],
  eapOnly: given.eapOnly ?? false,
  pools: given.pools ?? [],
  routes: given.routes,
  dns: given.dns,
  domains: given.domains,
  rekeyMs: given.rekey === undefined ? undefined : parseSpan(given.rekey),
  reauthenticationMs: given.reauthentication === undefined ? undefined : parseSpan(given.reauthentication),
  uniqueness: given.uniqueness ?? 'keep',
  maxSessions: given.maxSessions ?? 10,
});

export function radiusConfig({ spec: { authentication }, metadata }: VpnGateway): RadiusConfig | undefined {
  const { radius } = authentication;
  return (
    radius && {
      servers: radius.servers.map((server) => ({
        ...{ host: server.host, port: server.port ?? 1812, accountingPort: server.accountingPort ?? 1813 },
        secret: radiusSecretFile(server),
      })),
      timeoutMs: parseSpan(radius.timeout),
      attempts: radius.attempts,
      nasIdentifier: radius.nasIdentifier ?? `${metadata.namespace}/${metadata.name}`,
      accounting: radius.accounting,
      interimMs: parseSpan(radius.interim),
    }
  );
}

export const radiusSecretKey = ({ secretRef }: Server): string => secretRef.key ?? 'secret';

/** In the folder of RADIUS secrets. */
export const radiusSecretFile = (server: Server): string => `${server.secretRef.name}.${radiusSecretKey(server)}`;
