/** Pods of a StatefulSet, and whether one may be evicted. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EventLog } from '../../../operator/local/event-log.ts';
import { ObjectStore, refTo } from '../../../operator/local/object-store.ts';
import { StatefulSets } from '../../../operator/local/stateful-set.ts';
import { StoreCluster } from '../../../operator/local/store-cluster.ts';
import type { Manifest } from '../../../operator/plan/plan.ts';
import { FakeClock } from '../../harness/fake-clock.ts';

const LABELS = { 'vpn.rekindle.dev/gateway': 'office' };

const set = (replicas: number, image = 'one'): Manifest => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'office', namespace: 'vpn' },
  spec: { replicas, template: { metadata: { labels: LABELS }, spec: { image, terminationGracePeriodSeconds: 60 } } },
});

function begin(replicas: number) {
  const clock = new FakeClock();
  const store = new ObjectStore(clock, undefined);
  const sets = new StatefulSets(store);
  store.apply(set(replicas), 'operator');
  sets.start();
  const names = () => store.list('Pod').map(({ metadata }) => `${metadata.name}${metadata['deletionTimestamp'] ? ' ends' : ''}`);
  const ready = (name: string, status = 'True') =>
    store.merge(
      { apiVersion: 'v1', kind: 'Pod', namespace: 'vpn', name },
      { status: { conditions: [{ type: 'Ready', status }] } },
    );
  const gone = (name: string) => store.remove({ apiVersion: 'v1', kind: 'Pod', namespace: 'vpn', name }, { graceSeconds: 0 });
  return { store, names, ready, gone, cluster: new StoreCluster(store, new EventLog(() => {}), clock) };
}

describe('StatefulSet', { timeout: 10_000 }, () => {
  it('makes all its pods at once, with their number as a label', () => {
    const { store, names } = begin(3);
    assert.deepEqual(names(), ['office-0', 'office-1', 'office-2']);
    assert.equal(store.list('Pod')[2]?.metadata.labels?.['apps.kubernetes.io/pod-index'], '2');
  });

  it('makes them too when it is found at the start', () => {
    const clock = new FakeClock();
    const store = new ObjectStore(clock, undefined);
    store.create(set(2));
    const sets = new StatefulSets(store);
    sets.start();
    assert.equal(store.list('Pod').length, 2);
  });

  it('shrinks from the highest number, and gives each its grace period', () => {
    const { store, names, gone } = begin(3);
    store.apply(set(1), 'operator');
    assert.deepEqual(names(), ['office-0', 'office-1 ends', 'office-2 ends']);
    assert.equal(store.list('Pod')[2]?.metadata['deletionGracePeriodSeconds'], 60);
    gone('office-2');
    gone('office-1');
    assert.deepEqual(names(), ['office-0']);
  });

  it('replaces a pod that went by one with another uid', () => {
    const { store, names, gone } = begin(1);
    const before = store.list('Pod')[0]?.metadata.uid;
    gone('office-0');
    assert.deepEqual(names(), ['office-0']);
    assert.notEqual(store.list('Pod')[0]?.metadata.uid, before);
  });

  it('leaves running pods alone when the template changes, and makes the next from the new one', () => {
    const { store, gone } = begin(1);
    store.apply(set(1, 'two'), 'operator');
    assert.equal(Object(store.list('Pod')[0]?.['spec']).image, 'one');
    gone('office-0');
    assert.equal(Object(store.list('Pod')[0]?.['spec']).image, 'two');
  });

  it('says how many pods there are and how many are ready', () => {
    const { store, ready } = begin(2);
    ready('office-1');
    assert.deepEqual(store.get(refTo(set(2)))?.['status'], {
      observedGeneration: 1,
      replicas: 2,
      readyReplicas: 1,
      availableReplicas: 1,
    });
  });

  it('takes its pods along when it is deleted', () => {
    const { store, names } = begin(2);
    store.remove(refTo(set(2)));
    assert.deepEqual(names(), ['office-0 ends', 'office-1 ends']);
  });
});

describe('eviction', { timeout: 10_000 }, () => {
  const budget: Manifest = {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'office', namespace: 'vpn' },
    spec: { maxUnavailable: 1, selector: { matchLabels: LABELS } },
  };
  const evict = ({ store, cluster }: ReturnType<typeof begin>, name: string) => {
    const uid = store.get({ apiVersion: 'v1', kind: 'Pod', namespace: 'vpn', name })?.metadata.uid ?? '';
    return cluster.evict({ name, namespace: 'vpn', uid });
  };

  it('takes one healthy pod at a time', async () => {
    const scene = begin(2);
    scene.store.create(budget);
    scene.ready('office-0');
    scene.ready('office-1');
    await evict(scene, 'office-0');
    await assert.rejects(evict(scene, 'office-1'), { status: 429 });
    scene.gone('office-0');
    await assert.rejects(evict(scene, 'office-1'), { status: 429 });
    scene.ready('office-0');
    await evict(scene, 'office-1');
  });

  it('always takes a pod that is not healthy', async () => {
    const scene = begin(2);
    scene.store.create(budget);
    scene.ready('office-1');
    await evict(scene, 'office-0');
    await assert.rejects(evict(scene, 'office-1'), { status: 429 });
  });

  it('takes anything where there is no budget', async () => {
    const scene = begin(1);
    scene.ready('office-0');
    await evict(scene, 'office-0');
    assert.deepEqual(scene.names(), ['office-0 ends']);
  });
});
