/** The tables of docs/interop.md and the scenarios of the interop suite, which runs elsewhere: each has the other. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';

const SUITE = join(import.meta.dirname, 'interop');
const PEERS = ['strongswan', 'libreswan', 'freeradius'];

it('every scenario of the interop suite stands in docs/interop.md once, and nothing else does', () => {
  const text = readFileSync(join(import.meta.dirname, '../docs/interop.md'), 'utf8');
  const told = [...text.matchAll(/^\| \[([^\]]+)\]\(\.\.\/test\/interop\/([^)]+)\/scenario\.ts\)/gm)];
  const scenarios = PEERS.flatMap((peer) =>
    readdirSync(join(SUITE, peer), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => `${peer}/${name}`),
  );
  assert.deepEqual(told.map(([, , path]) => path).sort(), scenarios.sort());
  for (const [, name, path] of told) assert.equal(path?.split('/')[1], name);
});
