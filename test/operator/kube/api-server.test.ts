/** What the operator asks of an API server, word by word where words matter. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { ApiError } from '../../../operator/kube/api-error.ts';
import { ApiServerCluster } from '../../../operator/kube/api-server.ts';
import { NotLeading } from '../../../operator/kube/lease.ts';
import type { Manifest } from '../../../operator/plan/plan.ts';
import { FakeApiServer } from '../../harness/api-server.ts';
import { FakeClock } from '../../harness/fake-clock.ts';

const GATEWAY = { 'vpn.rekindle.dev/gateway': 'office' };
const OURS = { 'app.kubernetes.io/managed-by': 'rekindle-operator' };

const object = (kind: string, name: string, more: object = {}, labels: Record<string, string> = {}): Manifest => ({
  apiVersion: API_VERSIONS[kind] ?? 'v1',
  kind,
  metadata: { name, namespace: 'vpn', labels },
  ...more,
});

const API_VERSIONS: Readonly<Record<string, string>> = {
  StatefulSet: 'apps/v1',
  VpnGateway: 'vpn.rekindle.dev/v1alpha1',
  Event: 'events.k8s.io/v1',
};

let end: () => Promise<void> = async () => {};
afterEach(() => end());

async function begin({ leading = (): boolean => true } = {}) {
  const server = new FakeApiServer();
  const stop = new AbortController();
  const clock = new FakeClock();
  const cluster = new ApiServerCluster({
    transport: await server.transport(),
    clock,
    random: () => 0.5,
    namespace: 'vpn',
    mayWrite: () => {
      if (!leading()) throw new NotLeading();
    },
    failed: () => {},
  });
  end = async () => {
    stop.abort();
    await server.close();
  };
  return { server, cluster, clock, start: () => cluster.start(stop.signal) };
}

const last = (server: FakeApiServer) => {
  const asked = server.asked.at(-1);
  assert.ok(asked);
  return asked;
};

const existing = (manifest: Manifest) => ({
  apiVersion: manifest.apiVersion,
  kind: manifest.kind,
  namespace: manifest.metadata.namespace,
  name: manifest.metadata.name,
  uid: manifest.metadata.uid ?? '',
});

describe('cluster over an API server', { timeout: 20_000 }, () => {
  it('fills its caches with what is ours, and never asks for a Secret of a user', async () => {
    const { server, cluster, start } = await begin();
    server.store.create(object('Secret', 'office-config', {}, OURS));
    server.store.create(object('Pod', 'office-0', {}, GATEWAY));
    await start();
    assert.equal(
      cluster.get({ apiVersion: 'v1', kind: 'Secret', namespace: 'vpn', name: 'office-config' })?.metadata.name,
      'office-config',
    );
    assert.equal(cluster.list('Pod', { labels: GATEWAY }).length, 1);
    const secrets = server.asked.filter(({ path }) => path.endsWith('/secrets'));
    assert.ok(secrets.length > 0);
    assert.ok(secrets.every(({ query }) => query.get('labelSelector') === 'app.kubernetes.io/managed-by=rekindle-operator'));
    assert.ok(server.asked.every(({ path }) => path.includes('/namespaces/vpn/')));
  });

  it('applies with its field manager, by force, as plain JSON', async () => {
    const { server, cluster } = await begin();
    await cluster.apply(object('StatefulSet', 'office', { spec: { replicas: 2 } }));
    const { method, path, query, headers, body } = last(server);
    assert.deepEqual([method, path], ['PATCH', '/apis/apps/v1/namespaces/vpn/statefulsets/office']);
    assert.deepEqual([query.get('fieldManager'), query.get('force')], ['rekindle-operator', 'true']);
    assert.equal(headers['content-type'], 'application/apply-patch+yaml');
    assert.deepEqual(body['spec'], { replicas: 2 });
  });

  it('creates a ring only where there is none, and replaces exactly the version that it read', async () => {
    const { server, cluster } = await begin();
    const ring = object('Secret', 'ring', { data: { a: 'MQ==' } });
    await cluster.write({ manifest: ring, resourceVersion: undefined });
    await assert.rejects(cluster.write({ manifest: ring, resourceVersion: undefined }), { status: 409, reason: 'AlreadyExists' });
    const { resourceVersion } = server.store.get(existing(ring))?.metadata ?? {};
    await cluster.write({ manifest: { ...ring, data: { a: 'Mg==' } }, resourceVersion });
    await assert.rejects(cluster.write({ manifest: ring, resourceVersion }), { status: 409, reason: 'Conflict' });
    assert.deepEqual(server.store.get(existing(ring))?.['data'], { a: 'Mg==' });
  });

  it('deletes, evicts, annotates and deletes by force the object that it means, never a successor of the same name', async () => {
    const { server, cluster } = await begin();
    const pod = server.store.create(object('Pod', 'office-0', { spec: {} }));
    const successor = { name: 'office-0', namespace: 'vpn', uid: 'of-another' };
    await assert.rejects(cluster.evict(successor), { status: 409 });
    await assert.rejects(cluster.annotate(successor, { a: 'b' }), { status: 409 });
    await cluster.forceDelete(successor);
    await cluster.remove({ ...existing(pod), uid: 'of-another' });
    assert.equal(server.store.get(existing(pod))?.metadata['deletionTimestamp'], undefined);
    await cluster.annotate({ ...successor, uid: pod.metadata.uid ?? '' }, { a: 'b' });
    assert.deepEqual(server.store.get(existing(pod))?.metadata.annotations, { a: 'b' });
    await cluster.evict({ ...successor, uid: pod.metadata.uid ?? '' });
    assert.deepEqual(last(server).body['deleteOptions'], { preconditions: { uid: pod.metadata.uid } });
    await cluster.forceDelete({ ...successor, uid: pod.metadata.uid ?? '' });
    assert.equal(server.store.get(existing(pod)), undefined);
  });

  it('does not bring a deleted resource back by writing its status or finalizer', async () => {
    const { server, cluster } = await begin();
    const gateway = server.store.create(object('VpnGateway', 'office', { spec: {} }));
    server.store.remove(existing(gateway));
    await assert.rejects(cluster.setFinalizer(existing(gateway), 'vpn.rekindle.dev/in-use', true), { status: 409 });
    await assert.rejects(cluster.applyStatus(existing(gateway), { replicas: 1 }), { status: 409 });
    assert.equal(server.store.list('VpnGateway').length, 0);
  });

  it('keeps the finalizer while it applies the status', async () => {
    const { server, cluster } = await begin();
    const gateway = server.store.create(object('VpnGateway', 'office', { spec: {} }));
    await cluster.setFinalizer(existing(gateway), 'vpn.rekindle.dev/in-use', true);
    await cluster.applyStatus(existing(gateway), { replicas: 1 });
    const after = server.store.get(existing(gateway));
    assert.deepEqual([after?.metadata['finalizers'], after?.['status']], [['vpn.rekindle.dev/in-use'], { replicas: 1 }]);
  });

  it('writes nothing at all when it does not lead', async () => {
    const { server, cluster } = await begin({ leading: () => false });
    const pod = { name: 'office-0', namespace: 'vpn', uid: 'u' };
    const self = { apiVersion: 'vpn.rekindle.dev/v1alpha1', kind: 'VpnGateway', namespace: 'vpn', name: 'office', uid: 'u' };
    const writes = [
      () => cluster.apply(object('Secret', 's')),
      () => cluster.applyStatus(self, {}),
      () => cluster.write({ manifest: object('Secret', 's'), resourceVersion: undefined }),
      () => cluster.write({ manifest: object('Secret', 's'), resourceVersion: '1' }),
      () => cluster.remove(self),
      () => cluster.setFinalizer(self, 'f', true),
      () => cluster.evict(pod),
      () => cluster.forceDelete(pod),
      () => cluster.annotate(pod, {}),
      () => cluster.record(object('VpnGateway', 'office'), { type: 'Normal', reason: 'R', message: 'm' }),
    ];
    for (const write of writes) await assert.rejects(write, NotLeading);
    assert.deepEqual(server.asked, []);
  });

  it('counts a repeated event instead of writing it again, and writes the count once a minute at most', async () => {
    const { server, cluster, clock } = await begin();
    const gateway = server.store.create(object('VpnGateway', 'office'));
    const event = { type: 'Warning', reason: 'PodsFailing', message: 'm' } as const;
    for (let n = 0; n < 5; n += 1) await cluster.record(gateway, event);
    assert.equal(server.asked.length, 1);
    await clock.advance(60_000);
    await cluster.record(gateway, event);
    assert.equal(last(server).method, 'PATCH');
    const [written, ...others] = server.store.list('Event');
    assert.equal(others.length, 0);
    assert.deepEqual(written?.['series'], { count: 6, lastObservedTime: '2030-01-02T00:01:00.000000Z' });
    assert.match(`${written?.['eventTime']}`, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    await clock.advance(400_000);
    await cluster.record(gateway, event);
    assert.equal(server.store.list('Event').length, 2);
  });

  it('reads the newest event about an object first', async () => {
    const { server, cluster } = await begin();
    const set = server.store.create(object('StatefulSet', 'office'));
    const about = (name: string, reason: string, eventTime: string) =>
      server.store.create(object('Event', name, { reason, note: name, eventTime, regarding: { uid: set.metadata.uid } }));
    about('first', 'FailedCreate', '2030-01-01T00:00:00.000000Z');
    about('second', 'FailedCreate', '2030-01-02T00:00:00.000000Z');
    about('other', 'SuccessfulCreate', '2030-01-03T00:00:00.000000Z');
    assert.deepEqual(await cluster.eventsAbout(set, ['FailedCreate']), [
      { reason: 'FailedCreate', message: 'second' },
      { reason: 'FailedCreate', message: 'first' },
    ]);
    assert.match(last(server).query.get('fieldSelector') ?? '', /regarding\.name=office/);
  });

  it('answers undefined for what is not there, and throws for what it may not see', async () => {
    const { server, cluster } = await begin();
    const ref = { apiVersion: 'v1', kind: 'Node', namespace: '', name: 'n1' };
    assert.equal(await cluster.read(ref), undefined);
    server.fault = (_asked, response) => {
      response.writeHead(403).end('{"kind":"Status","reason":"Forbidden","message":"no"}');
      return true;
    };
    await assert.rejects(cluster.read(ref), new ApiError(403, 'Forbidden', 'no'));
  });
});
