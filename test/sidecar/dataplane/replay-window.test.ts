import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ReplayWindow } from '../../../sidecar/dataplane/userspace/replay-window.ts';

const WINDOW = 64;
const starts = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 0, max: 200 }),
  fc.integer({ min: -200, max: 200 }).map((offset) => 2 ** 32 + offset),
  fc.integer({ min: -200, max: 200 }).map((offset) => 3 * 2 ** 32 + offset),
);

describe('the anti-replay window', () => {
  it('accepts each number once, in any order within the window, and none below it (RFC 4303 §3.4.3)', () => {
    fc.assert(
      fc.property(starts, fc.array(fc.integer({ min: -80, max: 150 }), { maxLength: 300 }), (start, steps) => {
        const window = new ReplayWindow(WINDOW, true, start);
        const seen = new Set<number>();
        let top = start;
        for (const step of steps) {
          const sequence = Math.max(0, top + step);
          const fresh = sequence > top - WINDOW && sequence > start && !seen.has(sequence);
          const admitted = window.admit(sequence % 2 ** 32);
          // What lies below the window looks like a number of the next half, and fails authentication as such.
          assert.equal(admitted === sequence, fresh, `${sequence} with ${top} on top`);
          if (!fresh) continue;
          assert.equal(window.accept(sequence), sequence > top);
          seen.add(sequence);
          top = Math.max(top, sequence);
          assert.equal(window.top, top);
        }
      }),
    );
  });

  it('forgets nothing and invents nothing with 32-bit numbers either', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 300 }), (sequences) => {
        const window = new ReplayWindow(WINDOW, false);
        const seen = new Set<number>();
        let top = 0;
        for (const sequence of sequences) {
          const fresh = sequence > 0 && sequence > top - WINDOW && !seen.has(sequence);
          assert.equal(window.admit(sequence), fresh ? sequence : undefined);
          if (fresh) window.accept(sequence);
          if (fresh) seen.add(sequence);
          top = window.top;
        }
      }),
    );
  });

  it('infers the high half of a number up to 2^32 ahead of the window (RFC 4303 appendix A2.2)', () => {
    fc.assert(
      fc.property(starts, fc.integer({ min: 1, max: 2 ** 32 - WINDOW }), (top, ahead) => {
        assert.equal(new ReplayWindow(WINDOW, true, top).admit((top + ahead) % 2 ** 32), top + ahead);
      }),
    );
  });

  it('never accepts number 0: the first packet has number 1', () => {
    for (const esn of [false, true]) assert.equal(new ReplayWindow(WINDOW, esn).admit(0), undefined);
  });

  it('takes a packet of the last half before the first for a replay', () => {
    assert.equal(new ReplayWindow(WINDOW, true, 3).admit(0xffff_fff0), undefined);
  });

  it('ends where numbers are no longer exact', () => {
    const window = new ReplayWindow(WINDOW, true, Number.MAX_SAFE_INTEGER - 1);
    assert.equal(window.admit(0xffff_ffff), Number.MAX_SAFE_INTEGER);
    assert.equal(window.admit(0), undefined);
  });

  it('does not move for a packet that was only looked at', () => {
    const window = new ReplayWindow(WINDOW, true);
    window.admit(5000);
    assert.equal(window.top, 0);
    assert.equal(window.admit(1), 1);
  });

  it('spans 64 numbers at least, and a whole number of words', () => {
    for (const [asked, spans] of [
      [1, 64],
      [65, 96],
      [1024, 1024],
    ] as const) {
      const window = new ReplayWindow(asked, false);
      window.accept(5000);
      assert.equal(window.admit(5000 - spans), undefined);
      assert.equal(window.admit(5000 - spans + 1), 5000 - spans + 1);
    }
  });
});
