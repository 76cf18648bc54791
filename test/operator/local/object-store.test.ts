/** The local mode's objects behave as an API server's. */
import assert from 'node:assert/strict';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Disk } from '../../../operator/local/disk.ts';
import { applyFields, mergePatch, sameJson } from '../../../operator/local/field-ownership.ts';
import { ObjectStore, refTo } from '../../../operator/local/object-store.ts';
import type { Manifest } from '../../../operator/plan/plan.ts';
import { FakeClock } from '../../harness/fake-clock.ts';
import { scratch } from '../../harness/scratch.ts';

const gateway = (spec: object, more: object = {}): Manifest => ({
  apiVersion: 'vpn.rekindle.dev/v1alpha1',
  kind: 'VpnGateway',
  metadata: { name: 'office', namespace: 'vpn', ...more },
  spec,
});

const secret = (name: string, more: object = {}): Manifest => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: 'vpn', ...more },
});

const make = (disk?: Disk) => new ObjectStore(new FakeClock(), disk);

describe('object store', { timeout: 10_000 }, () => {
  it('raises the generation when the spec changes, and only then', () => {
    const store = make();
    assert.equal(store.create(gateway({ replicas: 1 })).metadata['generation'], 1);
    const ref = refTo(gateway({}));
    assert.equal(store.apply({ ...gateway({}), status: { replicas: 1 } }, 'm', 'status').metadata['generation'], 1);
    assert.equal(store.merge(ref, { spec: { replicas: 2 } }).metadata['generation'], 2);
  });

  it('neither tells of nor counts a write that changes nothing', () => {
    const store = make();
    const first = store.apply(gateway({ replicas: 1 }), 'm');
    let heard = 0;
    store.watch(() => {
      heard += 1;
    });
    assert.equal(store.apply(gateway({ replicas: 1 }), 'm').metadata.resourceVersion, first.metadata.resourceVersion);
    assert.equal(heard, 0);
  });

  it('keeps an object with a finalizer until that is taken away', () => {
    const store = make();
    store.create(gateway({}, { finalizers: ['f'] }));
    store.remove(refTo(gateway({})));
    assert.ok(store.get(refTo(gateway({})))?.metadata['deletionTimestamp']);
    store.merge(refTo(gateway({})), { metadata: { finalizers: [] } });
    assert.equal(store.get(refTo(gateway({}))), undefined);
  });

  it('deletes what a deleted object owned, and what that owned', () => {
    const store = make();
    const owned = (name: string, owner: Manifest) =>
      store.create(
        secret(name, { ownerReferences: [{ apiVersion: 'v1', kind: owner.kind, name: 'x', uid: owner.metadata.uid ?? '' }] }),
      );
    const root = store.create(gateway({}));
    owned('grandchild', owned('child', root));
    store.create(secret('other'));
    store.remove(refTo(root));
    assert.deepEqual(
      store.list('Secret').map(({ metadata }) => metadata.name),
      ['other'],
    );
  });

  it('gives a pod its grace period, unless it is taken by force', () => {
    const store = make();
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'office-0', namespace: 'vpn' },
      spec: { terminationGracePeriodSeconds: 120 },
    };
    store.create(pod);
    store.remove(refTo(pod));
    assert.equal(store.get(refTo(pod))?.metadata['deletionGracePeriodSeconds'], 120);
    store.remove(refTo(pod), { graceSeconds: 0 });
    assert.equal(store.get(refTo(pod)), undefined);
  });

  it('tells listeners of changes in order, also of those that a listener makes', () => {
    const store = make();
    const heard: string[] = [];
    store.watch(({ after }) => {
      if (after?.metadata.name === 'a') store.create(secret('b'));
    });
    store.watch(({ after }) => heard.push(after?.metadata.name ?? ''));
    store.create(secret('a'));
    assert.deepEqual(heard, ['a', 'b']);
  });

  it('is the same after a restart: versions, uids, what each manager owns', () => {
    const { path } = scratch();
    const store = make(new Disk(path));
    store.apply(gateway({ replicas: 2, dns: ['x'] }), 'user');
    store.apply({ ...gateway({}), status: { replicas: 2 } }, 'operator', 'status');
    const again = make(new Disk(path));
    assert.deepEqual(again.list('VpnGateway'), store.list('VpnGateway'));
    assert.ok(Number(again.resourceVersion) >= Number(store.list('VpnGateway')[0]?.metadata.resourceVersion));
    again.apply(gateway({ replicas: 2 }), 'user');
    assert.deepEqual(again.list('VpnGateway')[0]?.['spec'], { replicas: 2 });
  });

  it('forgets pods over a restart: their processes are gone', () => {
    const { path } = scratch();
    make(new Disk(path)).create({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'office-0', namespace: 'vpn' } });
    assert.deepEqual(make(new Disk(path)).list('Pod'), []);
  });

  it('writes files that nobody else can read', () => {
    const { path } = scratch();
    const directory = join(path, 'objects');
    make(new Disk(directory)).create(secret('ring'));
    assert.equal(statSync(directory).mode & 0o777, 0o700);
    for (const name of readdirSync(directory)) assert.equal(statSync(join(directory, name)).mode & 0o777, 0o600);
  });

  it('names a damaged file and shows nothing of it', () => {
    const { path, write } = scratch();
    write('Secret_vpn_ring.json', '{"object": "hidden');
    assert.throws(() => make(new Disk(path)), /Secret_vpn_ring\.json: damaged; remove the file/);
    writeFileSync(join(path, 'Secret_vpn_ring.json'), '{"object": "hidden');
    assert.throws(
      () => make(new Disk(path)),
      (error: Error) => !error.message.includes('hidden'),
    );
  });

  it('turns the plain text of a Secret into data', () => {
    const store = make();
    const { data, stringData } = store.create({ ...secret('s'), stringData: { a: 'x' } });
    assert.deepEqual([data, stringData], [{ a: 'eA==' }, undefined]);
  });
});

const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.integer(),
    fc.constantFrom('x', 'y'),
    tie('object'),
    fc.array(fc.integer(), { maxLength: 2 }),
  ),
  object: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), tie('value'), { maxKeys: 4 }),
})).object;

describe('ownership of fields', { timeout: 10_000 }, () => {
  it('gives a manager all that it names', () => {
    fc.assert(
      fc.property(json, json, json, (live, previous, next) => {
        const merged = applyFields(live, previous, next);
        assert.ok(sameJson(mergePatch(merged, next), merged));
      }),
    );
  });

  it('has nothing more to do the second time', () => {
    fc.assert(
      fc.property(json, json, json, (live, previous, next) => {
        const once = applyFields(live, previous, next);
        assert.ok(sameJson(applyFields(once, next, next), once));
      }),
    );
  });

  it('takes away what a manager no longer names, and nothing of others', () => {
    const live = { mine: 1, both: { mine: 1, theirs: 2 }, theirs: 3 };
    assert.deepEqual(applyFields(live, { mine: 1, both: { mine: 1 } }, {}), { both: { theirs: 2 }, theirs: 3 });
  });

  it('leaves an object without any field of its own as it is', () => {
    fc.assert(fc.property(json, (live) => assert.ok(sameJson(applyFields(live, undefined, {}), live))));
  });
});
