import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Deadlines } from '../../../sidecar/ike/deadlines.ts';
import type { Instant } from '../../../sidecar/ike/sa.ts';

const at = (instant: number, why = 'why') => ({ at: instant as Instant, why });

describe('the table of timers', () => {
  it('tells the earliest, and what it is for', () => {
    const deadlines = new Deadlines();
    assert.equal(deadlines.next(), undefined);
    deadlines.set('a', at(30, 'later'));
    deadlines.set('b', at(10, 'sooner'));
    assert.deepEqual([deadlines.next()?.at, deadlines.next()?.why], [10, 'sooner']);
  });

  it('gives what is due, the earliest first, each once', () => {
    const deadlines = new Deadlines();
    for (const [spi, instant] of [
      ['a', 30],
      ['b', 10],
      ['c', 20],
      ['d', 40],
    ] as const)
      deadlines.set(spi, at(instant));
    assert.deepEqual(deadlines.take(30 as Instant), ['b', 'c', 'a']);
    assert.deepEqual(deadlines.take(30 as Instant), []);
    assert.equal(deadlines.next()?.at, 40);
  });

  it('gives no more at once than it is asked for', () => {
    const deadlines = new Deadlines();
    for (const spi of ['a', 'b', 'c']) deadlines.set(spi, at(1));
    assert.equal(deadlines.take(1 as Instant, 2).length, 2);
    assert.equal(deadlines.next()?.at, 1);
  });

  it('has one instant for each SPI: the last that was set, earlier or later', () => {
    const deadlines = new Deadlines();
    deadlines.set('a', at(10));
    deadlines.set('a', at(30));
    assert.equal(deadlines.next()?.at, 30);
    deadlines.set('a', at(5));
    assert.deepEqual(deadlines.take(100 as Instant), ['a']);
    assert.equal(deadlines.next(), undefined);
  });

  it('forgets what is deleted, and what is never', () => {
    const deadlines = new Deadlines();
    deadlines.set('a', at(10));
    deadlines.set('b', at(20));
    deadlines.delete('a');
    deadlines.set('b', at(Number.POSITIVE_INFINITY));
    assert.equal(deadlines.next(), undefined);
    deadlines.set('a', at(10));
    assert.deepEqual(deadlines.take(10 as Instant), ['a'], 'and can set it again');
  });

  it('is what a plain map would be, whatever happens', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('set' as const), spi: fc.nat(20).map(String), at: fc.nat(1_000) }),
      fc.record({ do: fc.constant('delete' as const), spi: fc.nat(20).map(String) }),
      fc.record({ do: fc.constant('take' as const), at: fc.nat(1_000) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const deadlines = new Deadlines();
        const model = new Map<string, number>();
        for (const one of steps) {
          if (one.do === 'set') {
            deadlines.set(one.spi, at(one.at));
            model.set(one.spi, one.at);
          } else if (one.do === 'delete') {
            deadlines.delete(one.spi);
            model.delete(one.spi);
          } else {
            const due = [...model].filter(([, instant]) => instant <= one.at);
            const taken = deadlines.take(one.at as Instant);
            assert.deepEqual(taken.toSorted(), due.map(([spi]) => spi).sort());
            assert.deepEqual(
              taken.map((spi) => model.get(spi)),
              due.map(([, instant]) => instant).sort((a, b) => a - b),
            );
            for (const [spi] of due) model.delete(spi);
          }
          assert.equal(deadlines.next()?.at, model.size > 0 ? Math.min(...model.values()) : undefined);
        }
      }),
      { numRuns: 100 },
    );
  });
});
