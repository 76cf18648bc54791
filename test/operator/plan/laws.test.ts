/** What holds for every scene of the golden pairs. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { checkValue, Site } from '../../../crds/v1alpha1/fault.ts';
import { definition } from '../../../crds/v1alpha1/schema.ts';
import { type Manifest, type Observed, type Plan, plan } from '../../../operator/plan/plan.ts';
import { readRing } from '../../../operator/plan/ring-secret.ts';
import { act } from './act.ts';
import { FRESH, observedFrom } from './scene.ts';

const scenes = globSync('*/*.in.yaml', { cwd: import.meta.dirname }).sort();

describe('a plan', () => {
  for (const file of scenes) {
    const observed = observedFrom(readFileSync(join(import.meta.dirname, file), 'utf8'));

    it(`leaves nothing to do once it is carried out: ${file}`, () => {
      const first = plan(observed);
      const second = plan(act(first, observed));
      assert.deepEqual(deeds(second), deeds(EMPTY));
      // A pod that was sent away changes what there is to say.
      if (first.evict.length === 0 && first.forceDelete.length === 0)
        assert.deepEqual([second.status, second.events], [undefined, []]);
    });

    it(`is the same for the same observation, and looks again in the future or at once: ${file}`, () => {
      const first = plan(observed);
      assert.deepEqual(first, plan(observed));
      assert.ok(first.checkAgainAt === undefined || Number.isFinite(first.checkAgainAt));
    });

    it(`writes a status that fits the schema, and events that are not too long: ${file}`, () => {
      const { status, events } = plan(observed);
      const schema = definition(observed.kind).schema.properties?.['status'] ?? {};
      const site = new Site('status');
      if (status) checkValue(schema, status, undefined, site);
      assert.deepEqual(site.problems, []);
      assert.ok(events.every(({ message }) => message.length <= 1024));
    });

    it(`says no secret outside the data of a key ring: ${file}`, () => {
      const { guarded, ...open } = plan(observed);
      const all = [open, guarded.map(({ manifest: { data: _, ...rest } }) => rest)];
      const text = `${JSON.stringify(all)}${inspect(all, { depth: 20 })}`;
      for (const secret of secretsOf(observed)) {
        for (const encoding of ['hex', 'base64', 'latin1'] as const) {
          assert.ok(!text.includes(Buffer.from(secret).toString(encoding)), `a secret is in the plan, as ${encoding}`);
        }
      }
    });
  }
});

const EMPTY: Plan = {
  guarded: [],
  apply: [],
  remove: [],
  evict: [],
  forceDelete: [],
  touch: [],
  finalizer: undefined,
  status: undefined,
  events: [],
  checkAgainAt: undefined,
};

const deeds = ({ status: _s, events: _e, checkAgainAt: _c, ...rest }: Plan) => rest;

const secretsOf = ({ ring, fresh }: Observed): readonly Uint8Array[] => [
  ...(ring ? keysOf(ring) : []),
  fresh.secret.expose(),
  FRESH.secret.expose(),
];

function keysOf(secret: Manifest): readonly Uint8Array[] {
  const read = readRing(secret);
  return read.ok ? read.value.ring.keys.map((key) => key.secret.expose()) : [];
}
