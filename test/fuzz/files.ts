/** The files between operator and gateway: any text is a value, or problems that name the file and say what to do. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { encodeGatewayConfig, parseGatewayConfig } from '../../sidecar/contract/gateway-yaml.ts';
import { encodeKeyRing, parseKeyRing } from '../../sidecar/contract/key-ring-yaml.ts';
import { formatProblem, type Parsed } from '../../sidecar/contract/problem.ts';
import { config, ring, ringKey } from '../harness/policy.ts';

type Edit = readonly [what: 'drop' | 'repeat' | 'value' | 'indent' | 'cut' | 'between', line: number, text: string];

const scalar = fc.oneof(
  fc.constantFrom('', '~', '-1', '1e99', '.nan', '[]', '{}', '{a: b}', '"', '- x', '&a', '*a', '!!js/function x', 'yes', '0x10'),
  fc.string({ maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 6 }),
);
const edits: fc.Arbitrary<Edit[]> = fc.array(
  fc.tuple(fc.constantFrom('drop', 'repeat', 'value', 'value', 'indent', 'cut', 'between'), fc.nat(80), scalar),
  { minLength: 1, maxLength: 3 },
);

function edited(text: string, [what, at, by]: Edit): string {
  const lines = text.split('\n');
  const index = at % lines.length;
  const line = lines[index] ?? '';
  if (what === 'cut') return lines.slice(0, index).join('\n') + by;
  const changed = { drop: [], repeat: [line, line], indent: [`  ${line}`], between: [line, by], value: [withValue(line, by)] };
  return [...lines.slice(0, index), ...changed[what], ...lines.slice(index + 1)].join('\n');
}

const withValue = (line: string, value: string): string => line.replace(/(: |- ).*$/, (_, separator) => separator + value);

const refusedWhole = <T>(parse: (file: string, text: string) => Parsed<T>, honest: string, secrets: readonly string[]) =>
  fc.property(edits, (all) => {
    const text = all.reduce(edited, honest);
    const parsed = parse('some.yaml', text);
    if (parsed.ok) return;
    assert(parsed.problems.length > 0);
    for (const problem of parsed.problems.map(formatProblem)) {
      assert(problem.startsWith('some.yaml: '));
      for (const secret of secrets) assert(!problem.includes(secret), 'a problem repeats a secret');
    }
  });

export const gatewayYaml = () => refusedWhole(parseGatewayConfig, encodeGatewayConfig(config()), []);

export const keyRingYaml = () => {
  const keys = [ringKey(1, 'retired', 1_000), ringKey(2, 'active'), ringKey(3, 'next')];
  const text = encodeKeyRing(ring({ keys, revoked: [{ id: new Uint8Array(8).fill(9), until: 5_000 }] }));
  const secrets = keys.map(({ secret }) => Buffer.from(secret.expose()));
  return refusedWhole(parseKeyRing, text, [
    ...secrets.map((one) => one.toString('hex')),
    ...secrets.map((one) => one.toString('base64')),
  ]);
};
