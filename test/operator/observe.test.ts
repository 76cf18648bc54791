/** What a plan is told of the cluster, and how it was read: live where an old answer would be dangerous. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { validate } from '../../crds/v1alpha1/validate.ts';
import { freshKey } from '../../operator/fresh-key.ts';
import { ApiError } from '../../operator/kube/api-error.ts';
import { EventLog } from '../../operator/local/event-log.ts';
import { ObjectStore, refTo, toManifest } from '../../operator/local/object-store.ts';
import { StoreCluster } from '../../operator/local/store-cluster.ts';
import { observe, type Surroundings } from '../../operator/observe.ts';
import { GATEWAY_LABEL, KEY_RING_LABEL } from '../../operator/plan/names.ts';
import type { GatewayObserved, Manifest, Ref } from '../../operator/plan/plan.ts';
import { ringSecret } from '../../operator/plan/ring-secret.ts';
import type { KeyRing } from '../../sidecar/contract/key-ring.ts';
import { Secret } from '../../sidecar/contract/secret.ts';
import { FakeClock } from '../harness/fake-clock.ts';

const KEY = { kind: 'VpnGateway', namespace: 'default', name: 'office' } as const;
const RING = 'office-ticket-key';

const GATEWAY = {
  apiVersion: 'vpn.rekindle.dev/v1alpha1',
  kind: 'VpnGateway',
  metadata: { name: 'office' },
  spec: {
    replicas: 2,
    maxReplicas: 4,
    identity: 'vpn.example.com',
    authentication: { psk: { secretRef: { name: 'users' } } },
    pools: [{ cidr: '10.8.0.0/24' }],
    routes: ['10.8.0.0/24'],
    ticketKeyRef: { name: 'office' },
  },
};

/** A cluster whose live reads are noted, and may be failed. */
class Watched extends StoreCluster {
  readonly live: string[] = [];
  fail: (ref: Ref) => void = () => {};

  override async read(ref: Ref): Promise<Manifest | undefined> {
    this.live.push(`${ref.kind} ${ref.name}`);
    this.fail(ref);
    return super.read(ref);
  }

  override async readAll(...[kind, selection]: Parameters<StoreCluster['readAll']>): Promise<readonly Manifest[]> {
    this.live.push(`all ${kind}`);
    return super.readAll(kind, selection);
  }
}

function begin() {
  const clock = new FakeClock();
  const store = new ObjectStore(clock, undefined);
  const events = new EventLog(() => {});
  const cluster = new Watched(store, events, clock);
  const validated = validate('gateway.yaml', GATEWAY);
  assert.ok(validated.ok);
  const gateway = store.create(toManifest(validated.value));
  const at: Surroundings = {
    cluster,
    clock,
    freshKey,
    placement: () => ({
      image: 'i',
      ikePort: 1,
      natPort: 2,
      httpPort: 3,
      peerPort: 4,
      peerHost: 'h',
      operatorNamespace: 'o',
      hasAgents: true,
    }),
    report: async (_pod, port) => ({
      ...{ ringGeneration: port, acknowledgement: '', configGeneration: 1, sessions: 0, faults: [] },
      ...{ dataplane: 'kernel', problems: [], reasons: [] },
    }),
  };
  const see = async (): Promise<GatewayObserved> => {
    cluster.live.length = 0;
    const observed = await observe(KEY, at);
    assert.equal(observed?.kind, 'VpnGateway');
    return observed;
  };
  const pod = (status: object) =>
    store.create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'office-0', namespace: 'default', labels: { [GATEWAY_LABEL]: 'office', [KEY_RING_LABEL]: RING } },
      spec: { nodeName: 'n1' },
      status,
    });
  return { store, events, cluster, gateway, at, see, pod, clock };
}

function ring(...states: readonly KeyRing['keys'][number]['state'][]): Manifest {
  const keys = states.map((state, n) => ({
    id: new Uint8Array(8).fill(n),
    algorithm: 'XChaCha20-Poly1305' as const,
    state,
    secret: new Secret(new Uint8Array(32).fill(n + 1)),
    createdAt: 1_000,
    openUntil: undefined,
  }));
  const kept = {
    ring: { ringId: '00000000-0000-4000-8000-000000000000', generation: 2, keys, revoked: [], revokedBefore: 0 },
    rotationToken: '',
    publishedAt: 1_000,
    urgentGeneration: 0,
  };
  const ref = { apiVersion: 'v1', kind: 'Secret', namespace: 'default', name: RING };
  return ringSecret(ref, { apiVersion: 'v1', kind: 'TicketKey', name: 'office', uid: 'u' }, {}, kept);
}

const READY = { podIP: '127.0.0.1', conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2030-01-01T00:00:00Z' }] };

describe('observe', { timeout: 10_000 }, () => {
  it('answers nothing for a resource that is gone', async () => {
    const { at, store, gateway } = begin();
    store.remove(refTo(gateway));
    assert.equal(await observe(KEY, at), undefined);
  });

  it('always reads the ring live, for an old copy could look like a lost ring', async () => {
    const { store, cluster, see } = begin();
    store.create(ring('active'));
    assert.equal((await see()).ring?.metadata.name, RING);
    assert.ok(cluster.live.includes(`Secret ${RING}`));
  });

  it('lists pods live while a key waits for its promotion, and from the cache else', async () => {
    const { store, cluster, see, pod } = begin();
    pod(READY);
    const secret = store.create(ring('active'));
    assert.equal((await see()).pods.length, 1);
    assert.ok(!cluster.live.includes('all Pod'));
    store.remove(refTo(secret));
    store.create(ring('active', 'next'));
    assert.equal((await see()).pods.length, 1);
    assert.ok(cluster.live.includes('all Pod'));
  });

  it('reads children that the cache does not have, so that a foreign object of the same name is seen', async () => {
    const { store, cluster, see } = begin();
    store.create({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'office', namespace: 'default' } });
    cluster.get = (ref) => (ref.kind === 'Service' ? undefined : store.get(ref));
    const { children } = await see();
    assert.deepEqual(
      children.map(({ kind, metadata }) => `${kind} ${metadata.name}`),
      ['Service office'],
    );
  });

  it('asks each pod for its report at the port of its gateway', async () => {
    const { see, pod } = begin();
    pod(READY);
    assert.equal((await see()).pods[0]?.report?.ringGeneration, 3);
  });

  it('knows why pods cannot be made, only when some are missing', async () => {
    const { store, events, see, pod } = begin();
    const set = store.create({ apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'office', namespace: 'default' } });
    events.add(set, { type: 'Warning', reason: 'FailedCreate', message: 'violates PodSecurity' }, 0);
    assert.equal((await see()).createFailure, 'violates PodSecurity');
    pod(READY);
    store.create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'office-1', namespace: 'default', labels: { [GATEWAY_LABEL]: 'office' } },
    });
    assert.equal((await see()).createFailure, undefined);
  });

  it('knows from its events what keeps a container from being made', async () => {
    const { events, see, pod, store } = begin();
    const made = pod({ containerStatuses: [{ state: { waiting: { reason: 'ContainerCreating' } } }] });
    events.add(made, { type: 'Warning', reason: 'FailedMount', message: 'no Secret' }, 0);
    assert.deepEqual((await see()).pods[0]?.waiting?.message, 'no Secret');
    store.merge(refTo(made), { status: READY });
  });

  it('looks at the node of a pod that is not ready, and does without where it may not', async () => {
    const { store, cluster, see, pod } = begin();
    store.create({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'n1', namespace: '' },
      status: { conditions: [{ type: 'Ready', status: 'Unknown', lastTransitionTime: '2030-01-01T00:00:00Z' }] },
    });
    const made = pod({});
    assert.equal((await see()).pods[0]?.nodeLostAt, Date.UTC(2030, 0, 1));
    cluster.fail = ({ kind }) => {
      if (kind === 'Node') throw new ApiError(403, 'Forbidden', 'no');
    };
    assert.equal((await see()).pods[0]?.nodeLostAt, undefined);
    store.merge(refTo(made), { status: READY });
    await see();
    assert.ok(!cluster.live.includes('Node n1'));
  });

  it('makes new key material for every plan', async () => {
    const { see } = begin();
    const [one, two] = [await see(), await see()];
    assert.deepEqual([one.fresh.id.length, one.fresh.secret.length], [8, 32]);
    assert.notDeepEqual(one.fresh.secret.expose(), two.fresh.secret.expose());
    assert.equal(JSON.stringify(one.fresh.secret), '"[secret]"');
  });
});
