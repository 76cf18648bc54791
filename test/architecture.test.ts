/** Who may import whom, and what the pure parts must be free of. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, it } from 'node:test';

/** The most specific entry wins; what is not listed is forbidden. `type:` allows types alone. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  crds: ['crds', 'node:', 'js-yaml'],
  'crds/v1alpha1': ['crds/v1alpha1', 'node:', 'js-yaml'],
  'sidecar/contract': ['sidecar/contract', 'js-yaml', '@noble/hashes', 'node:util'],
  'sidecar/process': ['sidecar/process', 'type:sidecar/contract', 'node:', 'pino', 'prom-client'],
  'sidecar/ike/wire': ['sidecar/ike/wire', 'sidecar/ike/error.ts', 'type:sidecar/contract'],
  'sidecar/ike/wire/cbor.ts': ['sidecar/ike/wire', 'sidecar/ike/error.ts', 'cborg'],
  'sidecar/ike/error.ts': ['sidecar/ike/wire'],
  'sidecar/ike/crypto/libcrypto': ['sidecar/ike/crypto', 'sidecar/ike/wire', 'koffi'],
  'sidecar/ike/crypto': ['sidecar/ike/crypto', 'sidecar/ike/wire', 'sidecar/ike/error.ts', '@noble/', 'node:crypto'],
  'sidecar/ike': ['sidecar/ike', 'type:sidecar/contract'],
  // Which rule a peer falls under: one reading of patterns, for who writes them and for who applies them.
  'sidecar/ike/authentication-rule.ts': ['sidecar/ike', 'type:sidecar/contract', 'sidecar/contract/identity-pattern.ts'],
  // Who a gateway says it is, in words for whoever runs the client.
  'sidecar/ike/gateway-authentication.ts': ['sidecar/ike', 'type:sidecar/contract', 'sidecar/contract/identity.ts'],
  'sidecar/eap': ['sidecar/eap', 'sidecar/ike', 'sidecar/contract', 'node:'],
  'sidecar/dataplane': [
    'sidecar/dataplane',
    'sidecar/contract',
    'sidecar/ike/crypto',
    'sidecar/ike/error.ts',
    'sidecar/ike/wire',
    'sidecar/ike/ip-address.ts',
    'type:sidecar/process',
    'sidecar/process/errno.ts',
    'node:',
    'koffi',
  ],
  // The agent is a process of its own.
  'sidecar/dataplane/kernel': [
    'sidecar/dataplane',
    'sidecar/contract',
    'sidecar/process',
    'sidecar/ike/error.ts',
    'sidecar/ike/wire',
    'sidecar/ike/ip-address.ts',
    'node:',
    'koffi',
    'prom-client',
  ],
  'sidecar/radius': [
    'sidecar/radius',
    'sidecar/contract',
    'sidecar/ike/wire/bytes.ts',
    'sidecar/ike/error.ts',
    'type:sidecar/ike',
    'type:sidecar/dataplane',
    'type:sidecar/eap',
    '@noble/hashes',
    'node:',
    'prom-client',
  ],
  'sidecar/shell': [
    'sidecar/shell',
    'sidecar/eap',
    'sidecar/radius',
    'sidecar/ike',
    'sidecar/dataplane',
    'sidecar/contract',
    'sidecar/process',
    'node:',
    'prom-client',
    'koffi',
  ],
  'sidecar/client': [
    'sidecar/client',
    'sidecar/eap',
    'sidecar/shell',
    'sidecar/ike',
    'sidecar/dataplane',
    'sidecar/contract',
    'sidecar/process',
    'node:',
  ],
  'sidecar/main.ts': ['sidecar/shell', 'sidecar/ike', 'sidecar/dataplane', 'sidecar/contract', 'sidecar/process', 'node:'],
  'operator/plan': ['operator/plan', 'crds/v1alpha1', 'sidecar/contract'],
  operator: [
    'operator',
    'crds',
    'sidecar/contract',
    'sidecar/process',
    'node:',
    '@kubernetes/client-node',
    'js-yaml',
    'pino',
    'prom-client',
  ],
};

/** The pure parts: time and randomness come in as arguments, and nothing waits. */
const pure = ['sidecar/ike', 'operator/plan'];
/** Native code is loaded once, when the module is; whoever uses it finds it there or not. */
const loading = ['library.ts', 'libcrypto.ts'].map((file) => `sidecar/ike/crypto/libcrypto/${file}`);

const impure =
  /\b(Date\.now|new Date\(\)|Math\.random|process\.|performance\.|setTimeout|setInterval|setImmediate|fetch\(|async |await |console\.|Promise)/;

const root = join(import.meta.dirname, '..');
const files = ['sidecar', 'operator', 'crds'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((file) => join(folder, file))
    .filter((file) => file.endsWith('.ts')),
);

/** Module specifiers with `type:` before those that bring types alone. */
function imports(file: string): string[] {
  const source = readFileSync(join(root, file), 'utf8');
  return [...source.matchAll(/^(?:import|export) (type )?[^;]*?from '([^']+)'/gm)].map(([, type, name = '']) => {
    const target = name.startsWith('.') ? relative(root, join(root, dirname(file), name)) : name;
    return type ? `type:${target}` : target;
  });
}

const layerOf = (file: string): string | undefined =>
  Object.keys(mayImport)
    .filter((layer) => file === layer || file.startsWith(`${layer}/`))
    .sort((a, b) => b.length - a.length)[0];

const allows = (allowed: readonly string[], target: string): boolean =>
  allowed.some(
    (one) =>
      target.startsWith(one) || target === `type:${one}` || target.startsWith(`type:${one}/`) || target.startsWith(`type:${one}`),
  );

describe('architecture', () => {
  for (const file of files) {
    it(`${file} keeps to its layer`, () => {
      const layer = layerOf(file);
      assert.ok(layer, `${file} belongs to no layer: name one in this test`);
      for (const target of imports(file))
        assert.ok(allows(mayImport[layer] ?? [], target), `${file} (${layer}) must not import ${target}`);
    });
  }

  for (const file of files.filter((one) => pure.some((folder) => one.startsWith(`${folder}/`)) && !loading.includes(one))) {
    it(`${file} is free of clock, randomness, environment, timers and waiting`, () => {
      const code = readFileSync(join(root, file), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, '');
      assert.doesNotMatch(code, impure);
    });
  }

  for (const file of files.filter((one) => /^sidecar\/ike\/exchange\//.test(one))) {
    it(`${file} imports no other exchange`, () => {
      const others = imports(file).filter((target) => target.includes('sidecar/ike/exchange/'));
      const own = ownFiles[file] ?? [];
      for (const target of others) assert.ok(own.includes(target.replace('type:', '')), `${file} must not import ${target}`);
    });
  }

  it('nothing imports a main or a test', () => {
    for (const file of files)
      for (const target of imports(file)) assert.doesNotMatch(target, /(^|\/)main\.ts$|^test\//, `${file} imports ${target}`);
  });

  it('sees the imports that it judges', () => {
    assert.ok(imports('sidecar/ike/gateway.ts').includes('sidecar/ike/dispatch.ts'));
    assert.ok(imports('sidecar/ike/gateway.ts').includes('type:sidecar/contract/dataplane.ts'));
    assert.ok(!allows(['sidecar/ike', 'type:sidecar/contract'], 'sidecar/contract/secret.ts'));
    assert.ok(allows(['sidecar/ike', 'type:sidecar/contract'], 'type:sidecar/contract/secret.ts'));
  });
});

/** CREATE_CHILD_SA is one exchange for three purposes, and IKE_FOLLOWUP_KE ends what it began; a rekey of the IKE SA ends in the INFORMATIONAL that deletes the old one. */
const ownFiles: Readonly<Record<string, readonly string[]>> = {
  'sidecar/ike/exchange/create-child-sa.ts': ['new-child', 'rekey-child', 'rekey-ike'].map(
    (name) => `sidecar/ike/exchange/${name}.ts`,
  ),
  'sidecar/ike/exchange/ike-followup-ke.ts': ['rekey-child', 'rekey-ike'].map((name) => `sidecar/ike/exchange/${name}.ts`),
  'sidecar/ike/exchange/rekey-ike.ts': ['sidecar/ike/exchange/informational.ts'],
};
