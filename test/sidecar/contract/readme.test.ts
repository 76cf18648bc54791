/** The files that the README shows are files that the gateway takes. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { parseGatewayConfig } from '../../../sidecar/contract/gateway-yaml.ts';
import { parseKeyRing } from '../../../sidecar/contract/key-ring-yaml.ts';
import { parsePreSharedKeys } from '../../../sidecar/contract/pre-shared-keys.ts';

const readme = readFileSync(join(import.meta.dirname, '../../../sidecar/README.md'), 'utf8');
const [config, ring, keys] = [...readme.matchAll(/```yaml\n(.*?)```/gs)].map(([, text]) => text ?? '');

it('the example of gateway.yaml is accepted', () => {
  assert.deepEqual(parseGatewayConfig('gateway.yaml', config ?? '').ok, true);
});

it('the example of key-ring.yaml is accepted', () => {
  assert.deepEqual(parseKeyRing('key-ring.yaml', ring ?? '').ok, true);
});

it('the example of pre-shared keys is accepted without a warning', () => {
  const parsed = parsePreSharedKeys([{ file: 'users.yaml', text: keys ?? '' }]);
  assert.deepEqual(parsed.ok && parsed.value.warnings, []);
});
