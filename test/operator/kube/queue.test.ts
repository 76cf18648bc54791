/** The work queue, by an injected clock. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Queue } from '../../../operator/kube/queue.ts';
import { FakeClock, settled } from '../../harness/fake-clock.ts';

const make = (clock = new FakeClock()) => ({ clock, queue: new Queue(clock, () => 1, { firstMs: 100, longestMs: 1_000 }) });

/** Takes without waiting. */
async function taken(queue: Queue): Promise<string | undefined> {
  let got: string | undefined;
  void queue.take().then((key) => {
    got = key;
  });
  await settled();
  return got;
}

describe('work queue', { timeout: 10_000 }, () => {
  it('gives a key that was added several times out once', async () => {
    const { queue } = make();
    for (const key of ['a', 'b', 'a']) queue.add(key);
    assert.deepEqual([await taken(queue), await taken(queue), await taken(queue)], ['a', 'b', undefined]);
  });

  it('never gives a key out while it is worked on, and never forgets that it was added meanwhile', async () => {
    const { queue } = make();
    queue.add('a');
    assert.equal(await taken(queue), 'a');
    queue.add('a');
    let got: string | undefined;
    void queue.take().then((key) => {
      got = key;
    });
    await settled();
    queue.done('a');
    await settled();
    assert.equal(got, 'a');
  });

  it('keeps the earliest of several wishes for later', async () => {
    const { clock, queue } = make();
    queue.addAfter('a', 500);
    queue.addAfter('a', 200);
    queue.addAfter('a', 900);
    await clock.advance(199);
    assert.equal(queue.length, 0);
    await clock.advance(1);
    assert.equal(queue.length, 1);
    assert.equal(clock.pending, 0);
  });

  it('drops a wish for later when the key comes at once', async () => {
    const { clock, queue } = make();
    queue.addAfter('a', 500);
    queue.add('a');
    assert.equal(await taken(queue), 'a');
    queue.done('a');
    await clock.advance(1_000);
    assert.equal(queue.length, 0);
  });

  it('puts a failing key off for twice as long each time, up to the longest, and anew after a success', () => {
    const { queue } = make();
    assert.deepEqual(
      Array.from({ length: 6 }, () => queue.retry('a')),
      [100, 200, 400, 800, 1_000, 1_000],
    );
    queue.succeeded('a');
    assert.equal(queue.retry('a'), 100);
  });

  it('waits at least as long as the server asked for', () => {
    const { queue } = make();
    assert.equal(queue.retry('a', 5_000), 5_000);
  });

  it('spreads retries by up to a half', () => {
    const early = new Queue(new FakeClock(), () => 0, { firstMs: 100, longestMs: 1_000 });
    assert.equal(early.retry('a'), 50);
  });

  it('lets everybody who waits go when it closes, and takes nothing more', async () => {
    const { clock, queue } = make();
    const waiting = queue.take();
    queue.addAfter('later', 10);
    queue.close();
    queue.add('a');
    assert.equal(await waiting, undefined);
    await clock.advance(100);
    assert.equal(await queue.take(), undefined);
    assert.equal(clock.pending, 0);
  });

  it('loses no key and works on none twice at a time, whatever the order of events', async () => {
    const step = fc.record({ what: fc.constantFrom('add', 'later', 'take', 'done'), key: fc.constantFrom('a', 'b', 'c') });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { clock, queue } = make();
        const working: string[] = [];
        const owed = new Set<string>();
        const take = () =>
          queue.take().then((key = '') => {
            assert.ok(!working.includes(key), `${key} is worked on already`);
            working.push(key);
            owed.delete(key);
          });
        const finish = () => {
          for (const key of working.splice(0)) queue.done(key);
        };
        for (const { what, key } of steps) {
          if (what === 'add') queue.add(key);
          if (what === 'later') queue.addAfter(key, 10);
          if (what === 'add' || what === 'later') owed.add(key);
          if (what === 'take') void take();
          if (what === 'done' && working.includes(key)) queue.done(working.splice(working.indexOf(key), 1)[0] ?? '');
          await settled();
        }
        await clock.advance(20);
        for (let round = 0; owed.size > 0 && round < 10; round += 1) {
          finish();
          for (const _key of owed) void take();
          await settled();
        }
        assert.deepEqual([...owed], []);
      }),
      { numRuns: 200 },
    );
  });
});
