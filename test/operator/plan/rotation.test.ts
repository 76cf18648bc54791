/** The life of a key ring under random schedules: never a ticket sealed with a key that a ready pod lacks. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { activeKey, hex } from '../../../operator/plan/ticket-keys.ts';
import { HOUR, RingWorld } from './ring-world.ts';

type Step = (world: RingWorld) => void;

const podIndex = fc.nat(7);
const onPod = (name: string, act: (world: RingWorld, index: number) => void) =>
  podIndex.map((index) => named(`${name}(${index})`, (world) => act(world, index)));

const named = (name: string, step: Step): Step => Object.assign(step, { [fc.toStringMethod]: () => name });

const steps = {
  decide: fc.constant(named('decide', (world) => world.decide())),
  carryOut: fc.boolean().map((cut) => named(`carryOut(${cut})`, (world) => world.carryOut(cut))),
  reconcile: fc.constant(named('reconcile', (world) => world.reconcile())),
  join: fc.nat(2).map((behind) => named(`join(${behind})`, (world) => world.join(behind))),
  becomeReady: onPod('becomeReady', (world, index) => world.becomeReady(index)),
  load: onPod('load', (world, index) => world.load(index)),
  restart: onPod('restart', (world, index) => world.restart(index)),
  terminate: onPod('terminate', (world, index) => world.terminate(index)),
  remove: onPod('remove', (world, index) => world.remove(index)),
  cutOff: onPod('cutOff', (world, index) => world.cutOff(index)),
  heal: onPod('heal', (world, index) => world.heal(index)),
  pass: fc
    .integer({ min: 1, max: 2 * 3600 })
    .map((seconds) => named(`pass(${seconds} s)`, (world) => pass(world, seconds * 1000))),
  jump: fc.integer({ min: -48, max: 48 }).map((hours) => named(`jump(${hours} h)`, (world) => jump(world, hours * HOUR))),
  rotate: fc.nat(3).map((token) => named(`rotate(${token})`, (world) => world.specify({ rotationToken: `token-${token}` }))),
  suspend: fc.boolean().map((suspend) => named(`suspend(${suspend})`, (world) => world.specify({ suspend }))),
  revoke: fc.constant(named('revoke', revokeActive)),
};

/** Times of readiness come from the API server's clock, which goes on evenly. */
const jump = (world: RingWorld, ms: number): void => {
  world.now += ms;
  for (const pod of world.pods) pod.readyChangedAt += ms;
};

const pass = (world: RingWorld, ms: number): void => {
  world.now += ms;
};

function revokeActive(world: RingWorld): void {
  const ring = world.latest?.kept.ring;
  if (ring) world.specify({ revocation: { keyIds: [hex(activeKey(ring).id)] } });
}

const schedule = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: steps.reconcile },
    { weight: 2, arbitrary: steps.decide },
    { weight: 2, arbitrary: steps.carryOut },
    { weight: 3, arbitrary: steps.join },
    { weight: 6, arbitrary: steps.load },
    { weight: 5, arbitrary: steps.becomeReady },
    { weight: 3, arbitrary: steps.pass },
    { weight: 1, arbitrary: steps.restart },
    { weight: 1, arbitrary: steps.terminate },
    { weight: 1, arbitrary: steps.remove },
    { weight: 1, arbitrary: steps.cutOff },
    { weight: 1, arbitrary: steps.heal },
    { weight: 1, arbitrary: steps.jump },
    { weight: 2, arbitrary: steps.rotate },
    { weight: 1, arbitrary: steps.suspend },
    { weight: 1, arbitrary: steps.revoke },
  ),
  { minLength: 10, maxLength: 80 },
);

describe('a key ring', () => {
  it('never lets a ready pod seal with a key that another ready pod lacks, whatever happens', () => {
    fc.assert(
      fc.property(schedule, (schedule) => {
        const world = new RingWorld();
        world.reconcile();
        for (const step of schedule) {
          step(world);
          world.lookForUnopenable();
        }
        assert.deepEqual(world.faults, []);
      }),
      { numRuns: 800 },
    );
  });

  it('rotates to the end once all pods load what they are given, from wherever it stands', () => {
    fc.assert(
      fc.property(schedule, (schedule) => {
        const world = new RingWorld();
        world.reconcile();
        for (const step of schedule) step(world);
        settle(world);
        const before = hex(activeKey(present(world)).id);
        world.specify({ suspend: false, rotationToken: 'another' });
        settle(world);
        assert.notEqual(hex(activeKey(present(world)).id), before);
        assert.ok(present(world).keys.every(({ state, openUntil }) => state === 'active' || openUntil !== undefined));
      }),
      { numRuns: 60 },
    );
  });

  it('does not rotate again and again, nor drop keys early, while the clock goes backwards', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 72 }), { minLength: 1, maxLength: 10 }), (hours) => {
        const world = populated();
        world.specify({ rotationToken: 'once' });
        settle(world);
        const keys = present(world).keys.map(({ id }) => hex(id));
        for (const back of hours) {
          jump(world, -back * HOUR);
          settle(world);
        }
        assert.deepEqual(
          present(world).keys.map(({ id }) => hex(id)),
          keys,
        );
      }),
      { numRuns: 30 },
    );
  });

  it('rotates in time again after a clock that was a year ahead', () => {
    const world = populated();
    jump(world, 365 * 24 * HOUR);
    settle(world);
    jump(world, -365 * 24 * HOUR);
    settle(world);
    const before = hex(activeKey(present(world)).id);
    for (let i = 0; i < 4; i++) {
      world.now += HOUR / 2;
      settle(world);
    }
    assert.notEqual(hex(activeKey(present(world)).id), before);
  });

  it('keeps at most 48 keys, however often a rotation is asked for', () => {
    const world = populated();
    for (let i = 0; i < 60; i++) {
      world.specify({ rotationToken: `again ${i}` });
      settle(world);
    }
    assert.equal(present(world).keys.length, 48);
    assert.deepEqual(world.faults, []);
  });
});

function populated(): RingWorld {
  const world = new RingWorld();
  world.reconcile();
  world.join(0);
  world.join(0);
  settle(world);
  return world;
}

/** Pods load, the operator looks, time passes in seconds; enough rounds for everything that is due. */
function settle(world: RingWorld): void {
  for (let round = 0; round < 6; round++) {
    for (const index of world.pods.keys()) {
      world.heal(index);
      world.load(index);
      world.becomeReady(index);
    }
    world.now += 11_000;
    world.reconcile();
  }
}

function present(world: RingWorld) {
  if (!world.latest) throw new Error('there is no ring');
  return world.latest.kept.ring;
}
