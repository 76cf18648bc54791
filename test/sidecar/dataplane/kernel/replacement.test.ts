import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nextGeneration, replacement } from '../../../../sidecar/dataplane/kernel/replacement.ts';
import { ruleset } from '../../../../sidecar/dataplane/kernel/ruleset.ts';
import { configured } from './rulesets.ts';

const wanted = ruleset(configured(), { dataplane: 'kernel', mtu: 1390 }, 2);
const present = { sets: ['pools4-1', 'left-over'], chains: ['arrival', 'of-another-version'] };

describe('a ruleset that takes the place of another', () => {
  it('has its sets before there are rules that look them up', () => {
    const [first = [], second = []] = replacement(present, wanted);
    assert.deepEqual(first.slice(-wanted.sets.length), wanted.sets);
    assert.deepEqual(second.slice(-wanted.rules.length), wanted.rules);
    assert.ok(!JSON.stringify(first).includes('"rule"'));
    assert.ok(!JSON.stringify(second).includes('"add":{"set"'));
  });

  it('changes no rule before the last transaction, which leaves nothing of the other', () => {
    const [first = [], second = []] = replacement(present, wanted);
    assert.ok(first.every((command) => 'add' in command));
    const within = { family: 'inet', table: 'rekindle' };
    for (const name of present.chains) {
      assert.deepEqual(
        second.filter(({ flush }) => JSON.stringify(flush) === JSON.stringify({ chain: { ...within, name } })).length,
        1,
      );
      assert.deepEqual(
        second.filter((one) => JSON.stringify(one['delete']) === JSON.stringify({ chain: { ...within, name } })).length,
        1,
      );
    }
    for (const name of present.sets)
      assert.deepEqual(
        second.filter((one) => JSON.stringify(one['delete']) === JSON.stringify({ set: { ...within, name } })).length,
        1,
      );
  });

  it('leaves the counters as they are', () => {
    assert.ok(
      replacement(present, wanted)
        .flat()
        .every((command) => !JSON.stringify(command['delete'] ?? '').includes('counter')),
    );
  });

  it('has names for its sets that are not there yet', () => {
    assert.equal(nextGeneration({ sets: [], chains: [] }), 1);
    assert.equal(nextGeneration(present), 2);
    assert.equal(nextGeneration({ sets: ['pools4-2', 'own4-2'], chains: [] }), 1);
  });
});
