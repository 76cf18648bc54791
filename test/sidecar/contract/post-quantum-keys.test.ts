/** Post-quantum pre-shared keys in files. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parsePostQuantumKeys } from '../../../sidecar/contract/post-quantum-keys.ts';
import { formatProblem } from '../../../sidecar/contract/problem.ts';

const KEY = 'k'.repeat(32);
const id = (text: string): Uint8Array => new TextEncoder().encode(text);
const problems = (...texts: readonly string[]): readonly string[] => {
  const parsed = parsePostQuantumKeys(texts.map((text, index) => ({ file: `${index}.yaml`, text })));
  return parsed.ok ? [] : parsed.problems.map(formatProblem);
};

describe('post-quantum pre-shared keys', () => {
  it('are found by the bytes of their id, whichever file they stand in', () => {
    const parsed = parsePostQuantumKeys([
      { file: 'a.yaml', text: `office: ${KEY}` },
      { file: 'b.yaml', text: `"büro": other-${KEY}` },
    ]);
    assert.ok(parsed.ok);
    assert.deepEqual(parsed.value.ppk(id('office')), id(KEY));
    assert.deepEqual(parsed.value.ppk(id('büro')), id(`other-${KEY}`));
    assert.equal(parsed.value.ppk(id('home')), undefined);
    assert.deepEqual([parsed.value.size, parsed.value.warnings], [2, []]);
  });

  it('that are short are accepted with a warning', () => {
    const parsed = parsePostQuantumKeys([{ file: 'a.yaml', text: 'office: short' }]);
    assert.match(parsed.ok ? parsed.value.warnings.map(formatProblem).join() : '', /^a\.yaml: office: the key has fewer than 32/);
  });

  it('are refused whole, with every problem and no key', () => {
    assert.deepEqual(problems(`a: ${KEY}\nb: ''\nc: 7`, `a: other-${KEY}`), [
      '0.yaml: b: the key is empty; write one of at least 32 random characters',
      '0.yaml: c: the key is not a text: a number; put it in quotes',
    ]);
    assert.deepEqual(problems(`a: ${KEY}`, `a: other-${KEY}`), ['1.yaml: a: the same id as "a" in 0.yaml; keep one of the two']);
  });
});
