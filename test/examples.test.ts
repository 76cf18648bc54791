/** Every manifest that the documentation shows is one that users can apply: taken by the schema and its rules, planned without a complaint, its Secrets good. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { loadAll } from 'js-yaml';
import { validate } from '../crds/v1alpha1/validate.ts';
import type { VpnGateway } from '../crds/v1alpha1/vpngateway.ts';
import { parseManifest } from '../operator/local/manifest-file.ts';
import { dataplaneConfig } from '../operator/plan/dataplane-config.ts';
import { gatewayConfig } from '../operator/plan/gateway-config.ts';
import { credentials } from '../operator/plan/manifests/credentials.ts';
import { encodeDataplaneConfig, parseDataplaneConfig } from '../sidecar/contract/dataplane-yaml.ts';
import { parseEapUsers } from '../sidecar/contract/eap-users.ts';
import { encodeGatewayConfig, parseGatewayConfig } from '../sidecar/contract/gateway-yaml.ts';
import { parsePostQuantumKeys } from '../sidecar/contract/post-quantum-keys.ts';
import { parsePreSharedKeys } from '../sidecar/contract/pre-shared-keys.ts';
import { formatProblem, type Parsed } from '../sidecar/contract/problem.ts';
import { parseRadiusSecrets } from '../sidecar/contract/radius-secrets.ts';
import { PLACEMENT } from './operator/plan/scene.ts';

interface Shown {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly stringData?: Readonly<Record<string, string>>;
}

const root = join(import.meta.dirname, '..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const manifests = (text: string): readonly Shown[] => loadAll(text).map((document) => document as Shown);

const sets: readonly (readonly [where: string, shown: readonly Shown[]])[] = [
  ...globSync('examples/*/', { cwd: root }).map(
    (folder) => [folder, globSync(`${folder}/*.yaml`, { cwd: root }).flatMap((file) => manifests(read(file)))] as const,
  ),
  ...['docs/authentication.md', 'docs/post-quantum.md'].flatMap((file) =>
    [...read(file).matchAll(/## ([^\n]+)\n(?:(?!\n## ).)*?```yaml\n(.*?)```/gs)].map(
      ([, title, text]) => [`${file}: ${title}`, manifests(text ?? '')] as const,
    ),
  ),
];

describe('what the documentation shows', () => {
  it('is found', () => {
    assert.deepEqual(
      sets.map(([where]) => where).toSorted(),
      [
        ...['Certificates, with cert-manager', 'Old clients', 'Pre-shared keys', 'RADIUS', 'Rules'].map(named),
        named('Users with passwords (EAP)'),
        'docs/post-quantum.md: Gateways',
        ...['certificates', 'eap', 'quickstart', 'radius', 'routed'].map((folder) => `examples/${folder}`),
      ].toSorted(),
    );
  });

  for (const [where, shown] of sets) {
    it(`${where} is taken by the schema, by the local mode, and by the pods that it makes`, () => {
      for (const manifest of shown.filter(({ kind }) => kind !== 'Certificate'))
        assert.deepEqual(problems(parseManifest(where, manifest, () => undefined)), []);
      for (const gateway of gateways(where, shown)) {
        const written = encodeGatewayConfig(gatewayConfig(gateway, 3_600_000, 2, PLACEMENT));
        assert.deepEqual(problems(parseGatewayConfig(where, written)), []);
        const allowed = encodeDataplaneConfig(dataplaneConfig(gateway, PLACEMENT));
        assert.deepEqual(problems(parseDataplaneConfig(where, allowed)), []);
      }
    });

    it(`${where} has good credentials in the Secrets that it shows`, () => {
      for (const { spec } of gateways(where, shown)) {
        const { psk, eap, radius, ppk } = spec.authentication;
        const of = (name: string | undefined) => filesOf(shown, name);
        for (const parsed of [
          parsePreSharedKeys(of(psk?.secretRef.name)),
          parseEapUsers(of(eap?.secretRef.name)),
          parsePostQuantumKeys(of(ppk?.secretRef.name)),
          parseRadiusSecrets(of(radius?.servers[0]?.secretRef.name)),
        ]) {
          assert.deepEqual(problems(parsed), []);
          assert.deepEqual(parsed.ok && parsed.value.warnings, []);
        }
      }
    });
  }

  it('names no Secret that nobody makes, but those with private keys', () => {
    for (const [where, shown] of sets.filter(([folder]) => folder.startsWith('examples/'))) {
      const there = shown.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
      const named = gateways(where, shown).flatMap((gateway) => credentials(gateway).flatMap(({ objects }) => objects));
      assert.deepEqual(
        named.filter((object) => !there.includes(object) && !/-(tls|ca)$/.test(object)),
        [],
        where,
      );
    }
  });
});

const named = (title: string): string => `docs/authentication.md: ${title}`;

function gateways(where: string, shown: readonly Shown[]): readonly VpnGateway[] {
  return shown
    .filter(({ kind }) => kind === 'VpnGateway')
    .map((manifest) => {
      const validated = validate(where, manifest);
      assert.ok(validated.ok && validated.value.kind === 'VpnGateway', JSON.stringify(validated));
      return { ...validated.value, metadata: { ...validated.value.metadata, uid: 'uid', generation: 1 } };
    });
}

const filesOf = (shown: readonly Shown[], secret: string | undefined) =>
  shown
    .filter(({ kind, metadata }) => kind === 'Secret' && metadata.name === secret)
    .flatMap(({ stringData }) => Object.entries(stringData ?? {}).map(([file, text]) => ({ file, text })));

const problems = (parsed: Parsed<unknown>): readonly string[] => (parsed.ok ? [] : parsed.problems.map(formatProblem));
