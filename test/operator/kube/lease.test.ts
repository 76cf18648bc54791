/** Leadership, by two operators with clocks of their own and one API server. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ApiError } from '../../../operator/kube/api-error.ts';
import { Lease, NotLeading } from '../../../operator/kube/lease.ts';
import type { ApiRequest, Transport } from '../../../operator/kube/transport.ts';
import { ObjectStore, toManifest } from '../../../operator/local/object-store.ts';
import { FakeClock, settled } from '../../harness/fake-clock.ts';

const REF = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', namespace: 'vpn', name: 'operator' };

/** Answers like a server, without sockets, so that only the injected clock moves. */
function server() {
  const store = new ObjectStore(new FakeClock(), undefined);
  let reachable = true;
  const call = async ({ method, body }: ApiRequest): Promise<unknown> => {
    if (!reachable) throw new ApiError(0, 'NoAnswer', 'cut off');
    if (method === 'POST') return store.create(toManifest(body));
    if (method === 'PUT') return store.replace(toManifest(body));
    const found = store.get(REF);
    if (!found) throw new ApiError(404, 'NotFound', 'no lease');
    return found;
  };
  const api: Transport = { call, lines: async function* () {} };
  const holder = () => {
    const spec = store.get(REF)?.['spec'];
    return typeof spec === 'object' && spec !== null && 'holderIdentity' in spec ? spec.holderIdentity : undefined;
  };
  const cut = () => {
    reachable = false;
  };
  return { api, store, holder, cut };
}

function operator(api: Transport, holder: string, clock: FakeClock) {
  const terms: string[] = [];
  const stop = new AbortController();
  const lease = new Lease({
    transport: api,
    clock,
    random: () => 0.5,
    namespace: 'vpn',
    name: 'operator',
    holder,
    failed: () => {},
  });
  const lead = async (leading: AbortSignal) => {
    terms.push('began');
    await new Promise((resolve) => leading.addEventListener('abort', resolve, { once: true }));
    terms.push('ended');
  };
  const run = lease.run(lead, stop.signal);
  return { lease, terms, stop: () => stop.abort(), run };
}

describe('lease', { timeout: 10_000 }, () => {
  it('is taken when nobody has it, and kept by renewing', async () => {
    const clock = new FakeClock();
    const { api, store, holder } = server();
    const one = operator(api, 'one', clock);
    await clock.advance(0);
    assert.equal(holder(), 'one');
    await clock.advance(60_000);
    assert.ok(one.lease.leading);
    assert.deepEqual(one.terms, ['began']);
    assert.ok(Number(store.get(REF)?.metadata.resourceVersion) > 20);
  });

  it('is not taken from a holder that renews it, however wrong its clock is', async () => {
    const { api, holder } = server();
    const early = new FakeClock(0);
    const late = new FakeClock(Date.UTC(2099, 0));
    operator(api, 'one', early);
    await early.advance(0);
    const two = operator(api, 'two', late);
    for (let second = 0; second < 60; second += 1) {
      await early.advance(1_000);
      await late.advance(1_000);
    }
    assert.equal(holder(), 'one');
    assert.deepEqual(two.terms, []);
  });

  it('lets nobody write after the deadline when the server cannot be reached, and this before another may begin', async () => {
    const clock = new FakeClock();
    const { api, cut } = server();
    const one = operator(api, 'one', clock);
    await clock.advance(0);
    cut();
    await clock.advance(9_900);
    one.lease.assertLeading();
    await clock.advance(200);
    assert.throws(() => one.lease.assertLeading(), NotLeading);
    await clock.advance(2_000);
    assert.deepEqual(one.terms, ['began', 'ended']);
  });

  it('goes to another when its holder is gone, not before its duration has passed', async () => {
    const clock = new FakeClock();
    const { api, holder } = server();
    const dead = new FakeClock();
    operator(api, 'one', dead);
    await dead.advance(0);
    const two = operator(api, 'two', clock);
    await clock.advance(14_000);
    assert.equal(holder(), 'one');
    await clock.advance(4_000);
    assert.equal(holder(), 'two');
    assert.deepEqual(two.terms, ['began']);
  });

  it('ends at once for a holder that sees that another has it', async () => {
    const clock = new FakeClock();
    const { api, store } = server();
    const one = operator(api, 'one', clock);
    await clock.advance(0);
    store.merge(REF, { spec: { holderIdentity: 'two' } });
    await clock.advance(2_500);
    assert.equal(one.lease.leading, false);
    assert.deepEqual(one.terms, ['began', 'ended']);
  });

  it('is given back in good order, so that the next need not wait', async () => {
    const clock = new FakeClock();
    const { api, holder } = server();
    const one = operator(api, 'one', clock);
    await clock.advance(0);
    one.stop();
    await settled();
    await one.run;
    assert.deepEqual(one.terms, ['began', 'ended']);
    assert.equal(holder(), '');
    const two = operator(api, 'two', clock);
    await clock.advance(0);
    assert.equal(holder(), 'two');
    two.stop();
    await two.run;
  });

  it('is not taken by two that see it abandoned at the same moment', async () => {
    const clock = new FakeClock();
    const { api, store } = server();
    store.create(
      toManifest({
        ...REF,
        metadata: { name: 'operator', namespace: 'vpn' },
        spec: { holderIdentity: 'gone', leaseDurationSeconds: 15 },
      }),
    );
    const all = ['one', 'two', 'three'].map((name) => operator(api, name, clock));
    await clock.advance(30_000);
    assert.equal(all.filter(({ lease }) => lease.leading).length, 1);
    assert.equal(all.flatMap(({ terms }) => terms).filter((term) => term === 'began').length, 1);
  });
});
