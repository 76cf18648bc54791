/** The clock and the random bytes that the core is given. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { systemClock } from '../../../sidecar/shell/clock.ts';
import { pooledRandom } from '../../../sidecar/shell/random.ts';

describe('the clock', () => {
  const setUp = () => {
    const time = { wall: 1_000_000, steady: 0 };
    const clock = systemClock(
      () => time.wall,
      () => time.steady,
    );
    const pass = (ms: number, jump = 0): number => {
      time.steady += ms;
      time.wall += ms + jump;
      return clock();
    };
    return { time, pass };
  };

  it('is the wall clock as long as that runs evenly, and when it is set forward', () => {
    const { pass } = setUp();
    assert.deepEqual([pass(10), pass(5, 60_000), pass(1)], [1_000_010, 1_060_015, 1_060_016]);
  });

  it('goes on at half speed when the wall clock is set back, until that has caught up', () => {
    const { pass } = setUp();
    assert.deepEqual([pass(0, -1_000), pass(1_000), pass(1_000), pass(1_000)], [1_000_000, 1_000_500, 1_001_000, 1_002_000]);
  });

  it('never goes back', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(10_000), fc.integer({ min: -100_000, max: 100_000 }))), (steps) => {
        const { pass } = setUp();
        const read = steps.map(([ms, jump]) => pass(ms, jump));
        assert.deepEqual(
          read,
          read.toSorted((a, b) => a - b),
        );
      }),
    );
  });
});

describe('random bytes', () => {
  it('come in the length that was asked for, never twice', () => {
    const random = pooledRandom();
    const drawn = Array.from({ length: 2_000 }, (_, i) => Buffer.from(random(16 + (i % 3) * 8)).toString('hex'));
    assert.equal(new Set(drawn).size, drawn.length);
    assert.ok(drawn.every((text, i) => text.length === 2 * (16 + (i % 3) * 8)));
    assert.equal(random(100_000).length, 100_000);
    assert.equal(random(0).length, 0);
  });
});
