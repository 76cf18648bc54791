/** The table of docs/kernel.md and the scenarios of the kernel suite, which runs elsewhere: each has the other. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';

const SUITE = join(import.meta.dirname, 'kernel');

it('every scenario of the kernel suite stands in docs/kernel.md once, and nothing else does', () => {
  const text = readFileSync(join(import.meta.dirname, '../docs/kernel.md'), 'utf8');
  const told = [...text.matchAll(/^\| \[([^\]]+)\]\(\.\.\/test\/kernel\/([^)]+)\/scenario\.ts\)/gm)];
  const scenarios = readdirSync(SUITE).filter((name) => existsSync(join(SUITE, name, 'scenario.ts')));
  assert.deepEqual(told.map(([, , path]) => path).sort(), scenarios.sort());
  for (const [, name, path] of told) assert.equal(name, path);
});
