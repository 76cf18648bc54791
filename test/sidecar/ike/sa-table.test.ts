import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type IkeSa, ownSpi, type PhaseName } from '../../../sidecar/ike/sa.ts';
import { SaTable } from '../../../sidecar/ike/sa-table.ts';
import { ALICE, email } from '../../harness/policy.ts';
import { saIn } from './arbitrary-sa.ts';

/** One SA of that kind, with these fields; which it is otherwise does not matter. */
const some = (name: PhaseName, part: Partial<IkeSa> = {}): IkeSa => {
  const [sa] = fc.sample(saIn(name), { numRuns: 1, seed: 7 });
  return {
    ...(sa ?? assert.fail()),
    role: 'responder',
    spiI: 'aa'.repeat(8),
    spiR: '01'.repeat(8),
    path: { local: '10.0.0.1:500', remote: '192.0.2.1:500' },
    ...part,
  };
};
function established(remote = ALICE, children: readonly number[] = [], part: Partial<IkeSa> = {}): IkeSa {
  const sa = some('established', part);
  if (sa.phase.name !== 'established') assert.fail();
  const [child] = fc
    .sample(saIn('established'), { numRuns: 20, seed: 1 })
    .flatMap(({ phase }) => (phase.name === 'established' ? phase.children : []));
  return { ...sa, phase: { ...sa.phase, remote, children: children.map((spiIn) => ({ ...(child ?? assert.fail()), spiIn })) } };
}
const spi = (byte: number): string => byte.toString(16).padStart(2, '0').repeat(8);

describe('the table of SAs', () => {
  it('finds an SA by our SPI, which is that of the role', () => {
    const table = new SaTable();
    const [mine, theirs] = [established(), { ...established(), role: 'initiator' } as const];
    table.put(mine);
    table.put(theirs);
    assert.equal(table.get(mine.spiR), mine);
    assert.equal(table.get(theirs.spiI), theirs);
    table.delete(mine.spiR);
    assert.equal(table.get(mine.spiR), undefined);
    table.delete('unknown');
  });

  it('finds a half-open SA by the first request, as long as it is half-open', () => {
    const table = new SaTable();
    const sa = some('halfOpen');
    table.put(sa);
    assert.equal(table.byFirstRequest(sa.spiI, sa.path.remote), sa);
    assert.equal(table.byFirstRequest(sa.spiI, '192.0.2.2:500'), undefined);
    assert.equal(table.byFirstRequest(spi(9), sa.path.remote), undefined);
    table.put({ ...established(), spiR: sa.spiR });
    assert.equal(table.byFirstRequest(sa.spiI, sa.path.remote), undefined);
  });

  it('keeps the newer one when two half-open SAs have the same first request, whichever goes first', () => {
    const table = new SaTable();
    const [older, newer] = [some('halfOpen'), some('halfOpen', { spiR: spi(2) })];
    table.put(older);
    table.put(newer);
    table.delete(older.spiR);
    assert.equal(table.byFirstRequest(newer.spiI, newer.path.remote), newer);
  });

  it('finds the sessions of an identity, of its kind', () => {
    const table = new SaTable();
    const bob = email('bob@example.com');
    const all = [
      established(ALICE, [], { spiR: spi(1) }),
      established(ALICE, [], { spiR: spi(2) }),
      established(bob, [], { spiR: spi(3) }),
    ];
    for (const sa of all) table.put(sa);
    assert.deepEqual(table.sessionsOf(ALICE).map(ownSpi), [spi(1), spi(2)]);
    assert.deepEqual(table.sessionsOf({ ...ALICE, idType: 2 }), []);
    table.delete(spi(1));
    table.put(established(bob, [], { spiR: spi(2) }));
    assert.deepEqual([table.sessionsOf(ALICE), table.sessionsOf(bob).map(ownSpi)], [[], [spi(3), spi(2)]]);
  });

  it('finds an SA by its children, which may pass to another one', () => {
    const table = new SaTable();
    const [old, heir] = [established(ALICE, [1_000, 2_000], { spiR: spi(1) }), established(ALICE, [1_000], { spiR: spi(2) })];
    table.put(old);
    assert.equal(table.byChild(2_000), old);
    table.put(heir);
    table.put(established(ALICE, [], { spiR: spi(1) }));
    assert.deepEqual([table.byChild(1_000), table.byChild(2_000)], [heir, undefined]);
    table.delete(spi(1));
    assert.equal(table.byChild(1_000), heir);
  });

  it('counts as half-open what strangers make it keep', () => {
    const table = new SaTable();
    const [gone] = fc.sample(saIn('gone'), { numRuns: 1, seed: 1 });
    const dead = (proven: boolean, spiR: string): IkeSa => {
      const sa = some('gone', { spiR });
      return gone && sa.phase.name === 'gone' ? { ...sa, phase: { ...sa.phase, proven } } : assert.fail();
    };
    table.put(some('halfOpen', { spiR: spi(1) }));
    table.put(dead(false, spi(2)));
    table.put(dead(true, spi(3)));
    table.put(established(ALICE, [], { spiR: spi(4) }));
    assert.deepEqual([table.halfOpen, table.established], [2, 1]);
    assert.deepEqual([table.halfOpenFrom('192.0.2.1:9999'), table.halfOpenFrom('192.0.2.2:500')], [2, 0]);
  });

  it('counts a whole /64 of IPv6 as one source', () => {
    const table = new SaTable();
    table.put(some('halfOpen', { spiR: spi(1), path: { local: '[2001:db8::1]:500', remote: '[2001:db8:0:1::1]:500' } }));
    table.put(some('halfOpen', { spiR: spi(2), path: { local: '[2001:db8::1]:500', remote: '[2001:db8:0:1:ffff::2]:500' } }));
    assert.deepEqual([table.halfOpenFrom('[2001:db8:0:1::3]:1'), table.halfOpenFrom('[2001:db8:0:2::1]:500')], [2, 0]);
  });

  it('is what its SAs say, whatever happens', () => {
    const spis = [1, 2, 3, 4].map(spi);
    const phases = ['halfOpen', 'established', 'replaced', 'closing', 'gone', 'initSent'] as const;
    const any = fc.tuple(fc.constantFrom(...spis), saIn(...phases)).map(
      ([spiR, sa]): IkeSa => ({
        ...{
          ...sa,
          role: 'responder',
          spiR,
          spiI: spiR,
          path: { local: '10.0.0.1:500', remote: `192.0.2.${spiR.length}:${spiR[1]}` },
        },
      }),
    );
    const step = fc.oneof(any, fc.constantFrom(...spis));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const table = new SaTable();
        const model = new Map<string, IkeSa>();
        for (const one of steps) {
          if (typeof one === 'string') {
            table.delete(one);
            model.delete(one);
          } else {
            table.put(one);
            model.set(one.spiR, one);
          }
          const all = [...model.values()];
          assert.deepEqual([...table.values()].map(ownSpi).sort(), [...model.keys()].sort());
          assert.equal(table.established, all.filter(({ phase }) => phase.name === 'established').length);
          assert.equal(
            table.halfOpen,
            all.filter(({ phase }) => phase.name === 'halfOpen' || (phase.name === 'gone' && !phase.proven)).length,
          );
          for (const sa of all) {
            if (sa.phase.name === 'established') assert.ok(table.sessionsOf(sa.phase.remote).includes(sa));
            if (sa.phase.name === 'halfOpen') assert.equal(table.byFirstRequest(sa.spiI, sa.path.remote), sa);
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});
