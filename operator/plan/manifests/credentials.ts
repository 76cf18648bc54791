/** The credentials of a gateway as volumes of its pods: one for each Secret or ConfigMap that its spec names, and the flags that tell the sidecar where they are. */
import type { VpnGateway, VpnGatewaySpec } from '../../../crds/v1alpha1/vpngateway.ts';
import { radiusSecretFile, radiusSecretKey } from '../authentication.ts';

export interface Credential {
  /** Of the volume. */
  readonly name: string;
  /** What the sidecar calls it when it says that it is missing or wrong. */
  readonly title: string;
  /** Field of the spec, and the objects that it names. */
  readonly field: string;
  readonly objects: readonly string[];
  readonly flags: (path: string) => readonly string[];
  readonly source: Readonly<Record<string, unknown>>;
}

type Authentication = VpnGatewaySpec['authentication'];
type Authority = NonNullable<Authentication['authorities']>[number];
type Radius = NonNullable<Authentication['radius']>;

const GROUP_READABLE = 0o440;
const DIRECTORY = '/etc/rekindle/credentials';

export function credentials({ spec: { authentication } }: VpnGateway): readonly Credential[] {
  const { psk, certificate, authorities = [], eap, radius, ppk } = authentication;
  return [
    ...(psk ? [ofSecret('psk', 'pre-shared keys', psk)] : []),
    ...(certificate ? [ofSecret('certificate', 'certificate', certificate)] : []),
    ...authorities.map(ofAuthority),
    ...(eap ? [ofSecret('eap', 'EAP users', eap)] : []),
    ...(radius ? [ofRadius(radius)] : []),
    ...(ppk ? [ofSecret('ppk', 'post-quantum pre-shared keys', ppk)] : []),
  ];
}

/** Whole Secrets, never by subPath: only so does the kubelet renew them in a running pod. */
export const credentialVolumes = (gateway: VpnGateway) => credentials(gateway).map(({ name, source }) => ({ name, ...source }));

export const credentialMounts = (gateway: VpnGateway) =>
  credentials(gateway).map(({ name }) => ({ name, mountPath: pathOf(name), readOnly: true }));

export const credentialFlags = (gateway: VpnGateway): readonly string[] =>
  credentials(gateway).flatMap(({ name, flags }) => flags(pathOf(name)));

const pathOf = (name: string): string => `${DIRECTORY}/${name}`;

/** Optional, so that the pod starts and can say by name what is missing. */
const optionalSecret = (secretName: string) => ({ secret: { secretName, defaultMode: GROUP_READABLE, optional: true } });

const ofSecret = (
  name: 'psk' | 'certificate' | 'eap' | 'ppk',
  title: string,
  { secretRef }: { readonly secretRef: { readonly name: string } },
): Credential => ({
  ...{ name, title, field: `authentication.${name}.secretRef`, objects: [`Secret ${secretRef.name}`] },
  flags: (path) => [`--${name}-dir`, path],
  source: optionalSecret(secretRef.name),
});

function ofAuthority({ name, secretRef, configMapRef }: Authority): Credential {
  const kind = secretRef ? 'Secret' : 'ConfigMap';
  const of = secretRef?.name ?? configMapRef?.name ?? '';
  return {
    ...{ name: `authority-${name}`, title: 'authorities', field: 'authentication.authorities', objects: [`${kind} ${of}`] },
    flags: (path) => ['--authority', `${name}=${path}`],
    source: secretRef ? optionalSecret(of) : { configMap: { name: of, defaultMode: GROUP_READABLE, optional: true } },
  };
}

/** One entry of each Secret, under the name by which gateway.yaml knows it. */
function ofRadius({ servers }: Radius): Credential {
  const files = new Map(servers.map((server) => [radiusSecretFile(server), server]));
  const sources = [...files]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([path, server]) => ({
      secret: { name: server.secretRef.name, items: [{ key: radiusSecretKey(server), path }], optional: true },
    }));
  return {
    ...{ name: 'radius', title: 'RADIUS secrets', field: 'authentication.radius.servers' },
    objects: [...new Set(servers.map(({ secretRef }) => `Secret ${secretRef.name}`))],
    flags: (path) => ['--radius-dir', path],
    source: { projected: { defaultMode: GROUP_READABLE, sources } },
  };
}
