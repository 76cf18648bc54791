/** A plan is performed in the order that is safe at every moment in between. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { act } from '../../operator/act.ts';
import { ApiError } from '../../operator/kube/api-error.ts';
import type { Cluster } from '../../operator/kube/cluster.ts';
import { NOTHING } from '../../operator/plan/nothing.ts';
import type { Manifest, Plan, TicketKeyObserved } from '../../operator/plan/plan.ts';
import { Secret } from '../../sidecar/contract/secret.ts';

const secret = (name: string): Manifest => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: 'vpn', uid: `${name}-uid` },
});

const observed: TicketKeyObserved = {
  kind: 'TicketKey',
  now: 0,
  resource: {
    apiVersion: 'vpn.rekindle.dev/v1alpha1',
    kind: 'TicketKey',
    metadata: { name: 'office', namespace: 'vpn', uid: 'u', generation: 1 },
    spec: {
      rotationInterval: '1h',
      ticketLifetime: '1h',
      algorithm: 'XChaCha20-Poly1305',
      ackTimeout: '5m',
      suspend: false,
      source: { generated: {} },
    },
  },
  ring: secret('ring'),
  users: [],
  pods: [],
  fresh: { id: new Uint8Array(8), secret: new Secret(new Uint8Array(32)), ringId: 'r' },
};

const pod = (name: string) => ({ name, namespace: 'vpn', uid: `${name}-uid` });

const everything: Plan = {
  guarded: [{ manifest: secret('ring'), resourceVersion: '7' }],
  apply: [secret('config')],
  remove: [{ apiVersion: 'v1', kind: 'Secret', namespace: 'vpn', name: 'ring' }],
  evict: [pod('a')],
  forceDelete: [pod('b')],
  touch: [{ pod: pod('c'), annotations: { x: '1' } }],
  finalizer: { name: 'f', present: true },
  status: { ...NOTHING.status, observedGeneration: 1 },
  events: [{ type: 'Normal', reason: 'R', message: 'm' }],
  checkAgainAt: undefined,
};

type Method = keyof Cluster;

/** Notes what it is told, and fails where it shall. */
function recorder(failures: Partial<Record<Method, ApiError>> = {}) {
  const told: Method[] = [];
  const note = (method: Method) => async () => {
    told.push(method);
    const failure = failures[method];
    if (failure) throw failure;
  };
  const cluster: Cluster = {
    get: () => undefined,
    list: () => [],
    watch: () => () => {},
    read: async () => undefined,
    readAll: async () => [],
    eventsAbout: async () => [],
    apply: note('apply'),
    applyStatus: note('applyStatus'),
    write: note('write'),
    remove: note('remove'),
    setFinalizer: note('setFinalizer'),
    evict: note('evict'),
    forceDelete: note('forceDelete'),
    annotate: note('annotate'),
    record: note('record'),
  };
  return { cluster, told };
}

const conflict = new ApiError(409, 'Conflict', 'changed');

describe('act', { timeout: 10_000 }, () => {
  it('writes rings first and the status after everything that it speaks of', async () => {
    const { cluster, told } = recorder();
    const { again } = await act(everything, observed, cluster);
    assert.deepEqual(told, [
      'write',
      'apply',
      'remove',
      'evict',
      'forceDelete',
      'annotate',
      'setFinalizer',
      'applyStatus',
      'record',
    ]);
    assert.equal(again, undefined);
  });

  it('does nothing for a plan with nothing in it', async () => {
    const { cluster, told } = recorder();
    assert.deepEqual(await act(NOTHING, observed, cluster), { again: undefined, done: [] });
    assert.deepEqual(told, []);
  });

  it('throws the rest of the plan away when another writer of the ring was faster', async () => {
    const { cluster, told } = recorder({ write: conflict });
    assert.deepEqual((await act(everything, observed, cluster)).again, { inMs: 0 });
    assert.deepEqual(told, ['write']);
  });

  it('stops at a failure, so that no status claims what was not done', async () => {
    const { cluster, told } = recorder({ apply: new ApiError(500, 'InternalError', 'no') });
    await assert.rejects(act(everything, observed, cluster), { status: 500 });
    assert.deepEqual(told, ['write', 'apply']);
  });

  it('comes back when a PodDisruptionBudget forbids an eviction, and does the rest meanwhile', async () => {
    const { cluster, told } = recorder({ evict: new ApiError(429, 'TooManyRequests', 'budget', 10_000) });
    assert.deepEqual((await act(everything, observed, cluster)).again, { inMs: 10_000 });
    assert.ok(told.includes('applyStatus'));
  });

  it('does not mind pods that are gone or have a successor', async () => {
    for (const gone of [conflict, new ApiError(404, 'NotFound', 'gone')]) {
      const { cluster, told } = recorder({ evict: gone, annotate: gone });
      await act(everything, observed, cluster);
      assert.ok(told.includes('applyStatus'));
    }
  });

  it('removes only what was observed', async () => {
    const { cluster, told } = recorder();
    await act(
      { ...NOTHING, remove: [{ apiVersion: 'v1', kind: 'Secret', namespace: 'vpn', name: 'another' }] },
      observed,
      cluster,
    );
    assert.deepEqual(told, []);
  });

  it('tells the log names, never what is in the objects', async () => {
    const { cluster } = recorder();
    const { done } = await act({ ...everything, apply: [{ ...secret('config'), data: { k: 'aGlkZGVu' } }] }, observed, cluster);
    assert.doesNotMatch(done.join(), /aGlkZGVu/);
    assert.ok(done.includes('wrote Secret ring'));
  });
});
