import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { formatProblem } from '../../../sidecar/contract/problem.ts';
import { parseRadiusSecrets } from '../../../sidecar/contract/radius-secrets.ts';

const parse = (...texts: string[]) => parseRadiusSecrets(texts.map((text, at) => ({ file: `server-${at}`, text })));
const problems = (...texts: string[]) => {
  const parsed = parse(...texts);
  return parsed.ok ? [] : parsed.problems.map(formatProblem);
};

describe('secrets shared with RADIUS servers', () => {
  it('a file holds one secret, to which a line break at the end does not belong', () => {
    const parsed = parse('a long shared secret\n', ' spaces belong to it \r\n');
    assert.ok(parsed.ok);
    assert.equal(Buffer.from(parsed.value.secret('server-0')?.expose() ?? []).toString(), 'a long shared secret');
    assert.equal(Buffer.from(parsed.value.secret('server-1')?.expose() ?? []).toString(), ' spaces belong to it ');
    assert.equal(parsed.value.secret('server-2'), undefined);
    assert.deepEqual([parsed.value.size, parsed.value.warnings], [2, []]);
    assert.doesNotMatch(inspect(parsed, { depth: 9 }), /long shared/);
  });

  it('every file that is empty, too long or of several lines is told with a remedy, and no secret is', () => {
    assert.deepEqual(problems('', 'good secret of good size', 'one\ntwo', 'x'.repeat(1025)), [
      'server-0: the secret is empty; write one of at least 16 random characters',
      'server-2: the secret has more than one line; write one secret in one line',
      'server-3: the secret has 1025 bytes; write at most 1024',
    ]);
  });

  it('a short one is accepted with a warning', () => {
    const parsed = parse('testing123');
    assert.ok(parsed.ok);
    assert.deepEqual(parsed.value.warnings.map(formatProblem), [
      'server-0: the secret has fewer than 16 characters; use a longer, random one',
    ]);
  });
});
