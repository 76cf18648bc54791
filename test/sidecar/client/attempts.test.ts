/** The policy of attempts: which exchange, from when, how patiently. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Failure, NO_OUTAGE, nextAttempt, type Outage, TEMPO, withFailure } from '../../../sidecar/client/attempts.ts';

const after = (...failures: readonly Failure[]): Outage => failures.reduce(withFailure, NO_OUTAGE);
const unanswered = (count: number): Outage => after(...Array<Failure>(count).fill('unanswered'));
const outages = fc
  .array(fc.constantFrom<Failure>('unanswered', 'refused'), { maxLength: 60 })
  .map((failures) => after(...failures));
const chances = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('the next attempt', () => {
  it('begins at once after a session, by ticket if there is one', () => {
    assert.deepEqual(nextAttempt(NO_OUTAGE, true, 0.9), {
      number: 1,
      kind: 'resumed',
      entry: 'nat',
      pauseMs: 0,
      patienceMs: 1_000,
    });
    assert.equal(nextAttempt(NO_OUTAGE, false, 0.9).kind, 'full');
  });

  it('tries three ports by ticket at once, then a full exchange, then both in turn', () => {
    const kinds = Array.from({ length: 8 }, (_, failed) => nextAttempt(unanswered(failed), true, 0).kind);
    assert.deepEqual(kinds, ['resumed', 'resumed', 'resumed', 'full', 'resumed', 'full', 'resumed', 'full']);
    assert.deepEqual(
      [0, 1, 2].map((failed) => nextAttempt(unanswered(failed), true, 0.5).pauseMs),
      [0, 0, 0],
    );
  });

  it('is a full exchange without a ticket, always', () => {
    fc.assert(fc.property(outages, chances, (outage, chance) => nextAttempt(outage, false, chance).kind === 'full'));
  });

  it('waits longer and longer, never longer than the limit, and with jitter of a half', () => {
    fc.assert(
      fc.property(outages, chances, (outage, chance) => {
        const { pauseMs } = nextAttempt(outage, true, chance);
        assert.ok(pauseMs >= 0 && pauseMs <= TEMPO.longestPauseMs);
        const more = withFailure(outage, 'unanswered');
        assert.ok(nextAttempt(more, true, 0).pauseMs <= nextAttempt(withFailure(more, 'unanswered'), true, 0).pauseMs);
      }),
    );
    const most = nextAttempt(unanswered(40), true, 0.999999);
    assert.equal(most.pauseMs, TEMPO.longestPauseMs);
    assert.equal(nextAttempt(unanswered(40), true, 0).pauseMs, TEMPO.longestPauseMs / 2);
  });

  it('does not hurry after a refusal', () => {
    assert.ok(nextAttempt(after('refused'), false, 0).pauseMs >= 1_000);
    assert.ok(nextAttempt(after('refused', 'refused', 'refused'), false, 0).pauseMs >= 4_000);
  });

  it('is more patient the longer the outage, up to eight seconds for each answer', () => {
    const patience = Array.from({ length: 7 }, (_, failed) => nextAttempt(unanswered(failed), true, 0).patienceMs);
    assert.deepEqual(patience, [1_000, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000]);
  });
});
