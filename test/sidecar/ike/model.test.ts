/** Random schedules against a reference model: clients come, roam and leave, pods die, keys rotate, the weather is bad (RFC 7296, RFC 5723). */
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { found } from '../../harness/model/found.ts';
import { MovingTable } from '../../harness/model/moving-table.ts';
import { moves, promises, repeats, same } from '../../harness/model/properties.ts';
import { perform } from '../../harness/model/scene.ts';

/** The same schedules each time; `npm run fuzz` tries others, and repeats one by its seed. */
const SEED = 5723;
/** A failure is made smaller for no longer than this. */
const LIMIT = { interruptAfterTimeLimit: 40_000 };

describe('whatever befalls clients and pods', () => {
  it('both sides agree in the end, tickets are worth what they say, and nothing is left over', () => {
    fc.assert(promises(50), { seed: SEED, numRuns: 100, ...LIMIT });
  });

  it('an SA that is encoded and decoded after every input goes on as if nothing had happened', () => {
    fc.assert(moves(40), { seed: SEED + 1, numRuns: 20, ...LIMIT });
  });

  it('the same schedule gives the same run, byte for byte', () => {
    fc.assert(repeats(40), { seed: SEED + 2, numRuns: 5, ...LIMIT });
  });
});

describe('what once went wrong goes right', () => {
  for (const [name, schedule] of Object.entries(found))
    it(name, () =>
      same(
        perform(schedule),
        perform(schedule, () => new MovingTable()),
      ),
    );
});
