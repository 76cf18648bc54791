import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Allowance } from '../../../sidecar/ike/allowance.ts';
import type { Instant } from '../../../sidecar/ike/sa.ts';
import { ShortMemory } from '../../../sidecar/ike/short-memory.ts';

const at = (ms: number): Instant => ms as Instant;

it('a short memory knows a thing until its instant, and forgets it for good when it is looked through', () => {
  const memory = new ShortMemory<string>(10);
  memory.set('a', 'one', at(100));
  memory.set('b', 'two', at(200));
  assert.deepEqual([memory.get('a', at(99)), memory.get('a', at(100)), memory.size], ['one', undefined, 2]);
  memory.prune(at(100));
  assert.deepEqual([memory.size, memory.get('b', at(100))], [1, 'two']);
});

it('a short memory holds so many things and so many bytes, the latest', () => {
  const memory = new ShortMemory<string>(3, 100);
  for (const key of ['a', 'b', 'c', 'd']) memory.set(key, key, at(100), 10);
  assert.deepEqual([memory.get('a', at(0)), memory.size, memory.bytes], [undefined, 3, 30]);
  memory.set('b', 'again', at(100), 20);
  memory.set('e', 'long', at(100), 75);
  assert.deepEqual([memory.get('b', at(0)), memory.get('d', at(0)), memory.bytes], ['again', undefined, 95]);
  memory.set('f', 'too long', at(100), 101);
  assert.deepEqual([memory.size, memory.bytes], [0, 0]);
});

it('an allowance is a burst, and then so many a second', () => {
  const allowance = new Allowance(10, 5);
  const taken = (ms: number): number => Array.from({ length: 20 }, () => allowance.take(at(ms))).filter(Boolean).length;
  assert.deepEqual([taken(1_000), taken(1_000), taken(1_099), taken(1_100), taken(1_400), taken(9_000)], [5, 0, 0, 1, 3, 5]);
  assert.equal(taken(0), 0, 'a clock that goes back gives nothing');
});
