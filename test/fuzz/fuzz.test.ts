/** The fuzzer itself: each target runs, and what is typed wrong is told. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readOptions } from './options.ts';
import { targets } from './targets.ts';

describe('every target of the fuzzer', () => {
  for (const [name, { property }] of Object.entries(targets))
    it(name, () => {
      fc.assert(property(), { seed: 42, numRuns: name.startsWith('model') ? 1 : 10 });
    });
});

describe('the command line of the fuzzer', () => {
  const read = (...args: readonly string[]) => readOptions(args, () => 7);

  it('draws a seed when none is given, and tries everything', () => {
    const { seed, minutes, chosen, path } = read();
    assert.deepEqual([seed, minutes, chosen.length, path], [7, 5, Object.keys(targets).length, undefined]);
  });

  it('repeats one case of one target', () => {
    const { seed, chosen, path } = read('--only', 'model', '--seed', '12', '--path', '3:0:1');
    assert.deepEqual([seed, chosen.map(([name]) => name), path], [12, ['model'], '3:0:1']);
  });

  it('refuses what it does not know', () => {
    assert.throws(() => read('--only', 'everything'), /no such target/);
    assert.throws(() => read('--minutes', 'many'), /not a number/);
    assert.throws(() => read('--second', '1'), /Unknown option/);
  });
});
