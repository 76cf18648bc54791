/** The cache follows an API server through everything that one does to its clients. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { ApiError } from '../../../operator/kube/api-error.ts';
import { Cache } from '../../../operator/kube/cache.ts';
import type { Change } from '../../../operator/kube/cluster.ts';
import { ListWatch } from '../../../operator/kube/list-watch.ts';
import type { Manifest } from '../../../operator/plan/plan.ts';
import { FakeApiServer, refuse } from '../../harness/api-server.ts';
import { FakeClock } from '../../harness/fake-clock.ts';

const secret = (name: string, text = ''): Manifest => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: 'vpn' },
  data: { text },
});

let end: () => Promise<void> = async () => {};
afterEach(() => end());

async function begin(prepare: (server: FakeApiServer) => void = () => {}) {
  const server = new FakeApiServer();
  prepare(server);
  const clock = new FakeClock();
  const changes: Change[] = [];
  const errors: ApiError[] = [];
  const cache = new Cache('Secret', (change) => changes.push(change));
  const stop = new AbortController();
  const watch = new ListWatch({
    kind: 'Secret',
    namespace: 'vpn',
    cache,
    transport: await server.transport(),
    clock,
    random: () => 1,
    failed: (_kind, error) => errors.push(error),
  });
  const run = watch.run(stop.signal);
  end = async () => {
    stop.abort();
    await server.close();
    await run;
  };
  const lists = () => server.asked.filter(({ query }) => !query.get('watch')).length;
  return { server, clock, cache, changes, errors, watch, lists };
}

/** Lets sockets do their work until it is so. */
async function until(what: string, holds: () => boolean): Promise<void> {
  const limit = Date.now() + 3_000;
  while (!holds()) {
    if (Date.now() > limit) throw new Error(`in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

describe('list and watch', { timeout: 20_000 }, () => {
  it('lists page by page, then hears of every change', async () => {
    const { server, cache, changes, watch } = await begin(({ store }) => {
      for (let n = 0; n < 1_201; n += 1) store.create(secret(`s${n}`));
    });
    await watch.synced;
    assert.equal(cache.list({}).length, 1_201);
    assert.equal(server.asked.filter(({ query }) => query.get('limit')).length, 3);
    await until('watching', () => server.watching === 1);
    server.store.create(secret('new'));
    server.store.merge({ apiVersion: 'v1', kind: 'Secret', namespace: 'vpn', name: 's1' }, { data: { text: 'x' } });
    server.store.remove({ apiVersion: 'v1', kind: 'Secret', namespace: 'vpn', name: 's2' });
    await until('three changes', () => changes.length === 1_204);
    const kinds = changes.slice(-3).map(({ before, after }) => `${before ? 'had' : 'new'} ${after ? 'has' : 'gone'}`);
    assert.deepEqual(kinds, ['new has', 'had has', 'had gone']);
  });

  it('asks for bookmarks and goes on from the last one without a list', async () => {
    const { server, watch, clock, lists } = await begin();
    await watch.synced;
    await until('watching', () => server.watching === 1);
    server.store.create({ ...secret('elsewhere'), metadata: { name: 'elsewhere', namespace: 'other' } });
    server.bookmark();
    server.forgetHistory();
    server.breakWatches('end');
    await until('ended', () => server.watching === 0);
    await untilWatching(server, clock);
    assert.equal(lists(), 1);
    const last = server.asked.at(-1);
    assert.equal(last?.query.get('allowWatchBookmarks'), 'true');
    assert.equal(last?.query.get('resourceVersion'), server.store.resourceVersion);
  });

  for (const how of ['end', 'cut'] as const) {
    it(`goes on where it was when a watch ${how === 'end' ? 'ends' : 'is cut in the middle of a line'}`, async () => {
      const { server, watch, clock, cache, lists } = await begin();
      await watch.synced;
      await until('watching', () => server.watching === 1);
      server.breakWatches(how);
      await until('broken', () => server.watching === 0);
      server.store.create(secret('meanwhile'));
      await untilWatching(server, clock);
      await until('heard', () => cache.get('vpn', 'meanwhile') !== undefined);
      assert.equal(lists(), 1);
    });
  }

  for (const how of ['expire', 'garbage'] as const) {
    it(`lists anew after ${how === 'expire' ? '410, and forgets what went meanwhile' : 'something that is not JSON'}`, async () => {
      const { server, watch, clock, cache, changes, lists } = await begin(({ store }) => void store.create(secret('old')));
      await watch.synced;
      await until('watching', () => server.watching === 1);
      server.breakWatches(how);
      await until('broken', () => server.watching === 0);
      server.store.remove({ apiVersion: 'v1', kind: 'Secret', namespace: 'vpn', name: 'old' });
      server.forgetHistory();
      await untilWatching(server, clock);
      await until('gone', () => cache.get('vpn', 'old') === undefined);
      assert.ok(lists() >= 2);
      assert.equal(cache.get('vpn', 'old'), undefined);
      assert.equal(changes.at(-1)?.before?.metadata.name, 'old');
    });
  }

  it('waits as long as Retry-After says, then tries again', async () => {
    const { server, clock, errors, lists } = await begin((prepared) => {
      prepared.fault = (_asked, response) => {
        refuse(response, 429, 'TooManyRequests', 'slow down', 7);
        return true;
      };
    });
    await until('refused', () => errors.length === 1);
    assert.equal(errors[0]?.retryAfterMs, 7_000);
    server.fault = () => false;
    await clock.advance(6_999);
    assert.equal(clock.pending, 1, 'still waits');
    assert.equal(lists(), 1);
    await clock.advance(1);
    await until('listed', () => lists() === 2);
  });

  it('waits longer after each failure, up to half a minute', async () => {
    const { clock, errors, server } = await begin((prepared) => {
      prepared.fault = (_asked, response) => {
        response.destroy();
        return true;
      };
    });
    const waits: number[] = [];
    for (let n = 1; n <= 10; n += 1) {
      await until(`failure ${n}`, () => errors.length === n);
      let waited = 0;
      while (server.asked.length === n && waited <= 40_000) {
        await clock.advance(200);
        waited += 200;
        await until('a turn', () => true);
        await new Promise((resolve) => setTimeout(resolve, waited % 30_000 === 0 ? 5 : 0));
        if (clock.pending === 0) break;
      }
      waits.push(waited);
    }
    assert.deepEqual(waits, [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]);
  });
});

/** A watch that ended at once is followed by a short pause. */
async function untilWatching(server: FakeApiServer, clock: FakeClock): Promise<void> {
  const limit = Date.now() + 3_000;
  while (server.watching === 0 && Date.now() < limit) {
    await clock.advance(50);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  assert.equal(server.watching, 1);
}
