/** docs/dataplane.md and the code that it speaks of. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { filterDrops } from '../sidecar/dataplane/kernel/ruleset.ts';

const text = readFileSync(join(import.meta.dirname, '../docs/dataplane.md'), 'utf8');

/** Cells of the table whose first cell of the head is this. */
function rowsOf(head: string): readonly (readonly string[])[] {
  const lines = text.split('\n');
  const begin = lines.findIndex((line) => line.startsWith(`| ${head} |`));
  assert.ok(begin >= 0, `there is no table of ${head}`);
  const rest = lines.slice(begin + 2);
  const end = rest.findIndex((line) => !line.startsWith('|'));
  return rest.slice(0, end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** RFC 4303 §2: SPI and sequence number, then padding to the block with two bytes that end it; UDP before, no IP options. */
function largestInner(outerHeader: number, vector: number, block: number, check: number): number {
  const room = 1500 - outerHeader - 8 - 8 - vector - check;
  return room - (room % block) - 2;
}

describe('docs/dataplane.md', () => {
  it('explains every counter of the packet filter, and no other', () => {
    const named = rowsOf('counter').map(([cell = '']) => cell.replaceAll('`', ''));
    assert.deepEqual(named.toSorted(), [...filterDrops].toSorted());
  });

  it('has sums that are right', () => {
    const rows = rowsOf('cipher');
    assert.equal(rows.length, 5);
    for (const [cipher = '', ...cells] of rows) {
      const [vector = 0, block = 0, check = 0, ipv4, ipv6] = cells.map(Number);
      assert.deepEqual([ipv4, ipv6], [largestInner(20, vector, block, check), largestInner(40, vector, block, check)], cipher);
    }
  });
});
