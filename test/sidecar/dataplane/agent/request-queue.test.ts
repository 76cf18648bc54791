/** What goes together in one message to the agent. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RequestQueue } from '../../../../sidecar/dataplane/agent/request-queue.ts';

describe('requests to the agent', () => {
  it('settle once for all who ask for it in a row, and not before what was ordered between', async () => {
    const queue = new RequestQueue();
    const settled = [undefined, undefined, undefined].map((nothing) => queue.order(nothing));
    const removed = queue.order({ order: 'remove', spiIn: 256 });
    const after = queue.order(undefined);
    assert.deepEqual(
      [queue.next(), queue.next(), queue.next(), queue.next()].map((message) => message?.type),
      ['settle', 'orders', 'settle', undefined],
    );
    queue.answer(1, []);
    assert.deepEqual(await Promise.all(settled), [{ ok: true }, { ok: true }, { ok: true }]);
    queue.answer(2, [{ ok: true }]);
    queue.answer(3, []);
    await Promise.all([removed, after]);
  });
});
