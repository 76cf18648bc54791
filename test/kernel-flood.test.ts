import assert from 'node:assert/strict';
import { it } from 'node:test';
import { accountOf } from './kernel/lab/flood.ts';

it('a ping is lost when it was asked between two that were answered', () => {
  assert.deepEqual(accountOf([1, 2, 3], 10), { sent: 3, lost: 0, gapMs: 0 });
  assert.deepEqual(accountOf([1, 2, 6, 8], 10), { sent: 8, lost: 4, gapMs: 30 });
});

it('an answer that overtook another or came twice changes nothing', () => {
  assert.deepEqual(accountOf([5, 7, 6, 6, 8], 10), { sent: 4, lost: 0, gapMs: 0 });
});
