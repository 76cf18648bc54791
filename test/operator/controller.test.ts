/** The controller over an API server that is real enough: what changes is looked at, what fails is tried again, what rests is left alone. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { afterEach, describe, it } from 'node:test';
import { loadAll } from 'js-yaml';
import { validate } from '../../crds/v1alpha1/validate.ts';
import { Controller } from '../../operator/controller.ts';
import { freshKey } from '../../operator/fresh-key.ts';
import { ApiServerCluster } from '../../operator/kube/api-server.ts';
import { toManifest } from '../../operator/local/object-store.ts';
import type { PodReport } from '../../operator/plan/plan.ts';
import { readRing } from '../../operator/plan/ring-secret.ts';
import { concerned } from '../../operator/relations.ts';
import { acknowledgement } from '../../sidecar/contract/acknowledgement.ts';
import { createLog } from '../../sidecar/process/log.ts';
import { FakeApiServer, refuse } from '../harness/api-server.ts';
import { FakeClock } from '../harness/fake-clock.ts';

const PLACEMENT = {
  image: 'rekindle:test',
  ikePort: 500,
  natPort: 4500,
  httpPort: 9500,
  peerPort: 9501,
  peerHost: '{name}-{ordinal}.{name}-peers.{namespace}.svc',
  operatorNamespace: 'rekindle-system',
  hasAgents: true,
};

let end: () => Promise<void> = async () => {};
afterEach(() => end());

async function begin(prepare: (server: FakeApiServer) => void = () => {}) {
  const server = new FakeApiServer();
  prepare(server);
  const stop = new AbortController();
  const clock = new FakeClock();
  const cluster = new ApiServerCluster({
    transport: await server.transport(),
    clock,
    random: () => 0.5,
    namespace: 'default',
    mayWrite: () => {},
    failed: () => {},
  });
  await cluster.start(stop.signal);
  const lines: string[] = [];
  const outcomes: string[] = [];
  const controller = new Controller({
    cluster,
    clock,
    random: () => 0.5,
    freshKey,
    placement: () => PLACEMENT,
    report: async (pod) => reportOf(server, pod.metadata.uid ?? ''),
    log: createLog({ level: 'debug', base: {}, to: { write: (line) => lines.push(line) } }),
    workers: 2,
    resyncMs: 600_000,
    reconciled: (kind, outcome) => outcomes.push(`${kind} ${outcome}`),
  });
  const run = controller.run(stop.signal);
  end = async () => {
    stop.abort();
    await run;
    await server.close();
  };
  return { server, clock, lines, outcomes, cluster };
}

/** What a pod with the newest files would say. */
function reportOf(server: FakeApiServer, uid: string): PodReport | undefined {
  const [secret] = server.store.list('Secret').filter(({ metadata }) => metadata.name === 'office-ticket-key');
  const ring = secret && readRing(secret);
  if (!ring?.ok) return undefined;
  const { generation } = ring.value.ring;
  return {
    ringGeneration: generation,
    acknowledgement: acknowledgement(ring.value.ring, uid),
    configGeneration: 99,
    sessions: 0,
    faults: [],
    dataplane: 'kernel',
    problems: [],
    reasons: [],
  };
}

function applyQuickstart({ store }: FakeApiServer): void {
  for (const name of ['gateway.yaml', 'ticket-key.yaml']) {
    const text = readFileSync(new URL(`../../examples/quickstart/${name}`, import.meta.url), 'utf8');
    for (const document of loadAll(text)) {
      const validated = validate(name, document);
      assert.ok(validated.ok);
      store.create(toManifest(validated.value));
    }
  }
}

/** Lets sockets do their work, and the clock its, until it is so. */
async function until(what: string, clock: FakeClock, holds: () => boolean, stepMs = 20): Promise<void> {
  const limit = Date.now() + 5_000;
  while (!holds()) {
    if (Date.now() > limit) throw new Error(`in vain: ${what}`);
    await clock.advance(stepMs);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const has = (server: FakeApiServer, kind: 'Secret' | 'StatefulSet' | 'Service', name: string) =>
  server.store.list(kind).some(({ metadata }) => metadata.name === name);

const writes = (server: FakeApiServer) => server.asked.filter(({ method }) => method !== 'GET');

describe('controller', { timeout: 20_000 }, () => {
  it('makes a ring and all children of the manifests of the quickstart', async () => {
    const { server, clock } = await begin(applyQuickstart);
    await until('children', clock, () => has(server, 'StatefulSet', 'office') && has(server, 'Secret', 'office-ticket-key'));
    const applied = writes(server).filter(({ query }) => query.get('fieldManager') === 'rekindle-operator');
    assert.ok(applied.length >= 8);
    const gateway = server.store.list('VpnGateway')[0];
    assert.equal(Object(gateway?.['status']).observedGeneration, 1);
  });

  it('is quiet when there is nothing to do', async () => {
    const { server, clock } = await begin(applyQuickstart);
    await until('children', clock, () => has(server, 'StatefulSet', 'office'));
    await until('rest', clock, () => Object(server.store.list('VpnGateway')[0]?.['status']).keyRing !== undefined);
    for (let n = 0; n < 20; n += 1) await until('a turn', clock, () => true);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const before = writes(server).length;
    for (let n = 0; n < 30; n += 1) {
      await clock.advance(1_000);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assert.deepEqual(
      writes(server)
        .slice(before)
        .map(({ method, path }) => `${method} ${path}`),
      [],
    );
  });

  it('puts back a child that somebody took away', async () => {
    const { server, clock } = await begin(applyQuickstart);
    await until('children', clock, () => has(server, 'Service', 'office'));
    server.store.remove({ apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'office' });
    await until('the service again', clock, () => has(server, 'Service', 'office'));
  });

  it('tries again what the server refused, and begins anew when another writer was faster', async () => {
    let refused = 0;
    const { server, clock, outcomes } = await begin((prepared) => {
      applyQuickstart(prepared);
      prepared.fault = ({ method }, response) => {
        if (method === 'GET' || refused >= 4) return false;
        refused += 1;
        refuse(response, refused % 2 ? 503 : 409, refused % 2 ? 'ServiceUnavailable' : 'Conflict', 'not now', 1);
        return true;
      };
    });
    await until('children all the same', clock, () => has(server, 'StatefulSet', 'office'));
    assert.ok(outcomes.some((outcome) => outcome.endsWith('error')));
  });

  it('never lets key material reach the log, a status or an event', async () => {
    const { server, clock, lines } = await begin(applyQuickstart);
    await until('children', clock, () => has(server, 'StatefulSet', 'office'));
    const secret = server.store.list('Secret').find(({ metadata }) => metadata.name === 'office-ticket-key');
    const ring = secret && readRing(secret);
    assert.ok(ring?.ok);
    const said = JSON.stringify([
      lines,
      server.store.list('Event'),
      server.store.list('VpnGateway'),
      server.store.list('TicketKey'),
    ]);
    for (const key of ring.value.ring.keys) {
      const bytes = Buffer.from(key.secret.expose());
      for (const encoding of ['hex', 'base64', 'base64url'] as const) assert.ok(!said.includes(bytes.toString(encoding)));
    }
  });
});

describe('relations', { timeout: 10_000 }, () => {
  it('lead from each thing to the resources that it concerns', async () => {
    const { server, cluster } = await begin(applyQuickstart);
    const keys = (object: ReturnType<typeof toManifest>, before?: ReturnType<typeof toManifest>) =>
      [...new Set(concerned({ kind: 'Pod', before, after: object }, cluster).map(({ kind, name }) => `${kind} ${name}`))].sort();
    const [gateway] = server.store.list('VpnGateway');
    const [ticketKey] = server.store.list('TicketKey');
    assert.ok(gateway && ticketKey);
    const both = ['TicketKey office', 'VpnGateway office'];
    assert.deepEqual(keys(gateway), both);
    assert.deepEqual(keys(ticketKey), both);
    const metadata = { name: 'x', namespace: 'default' };
    const owned = (kind: string) => ({ ownerReferences: [{ apiVersion: 'v1', kind, name: 'office', uid: 'u' }] });
    assert.deepEqual(keys(toManifest({ kind: 'Secret', metadata: { ...metadata, ...owned('TicketKey') } })), both);
    assert.deepEqual(keys(toManifest({ kind: 'Service', metadata: { ...metadata, ...owned('VpnGateway') } })), [
      'VpnGateway office',
    ]);
    assert.deepEqual(keys(toManifest({ kind: 'Secret', metadata })), []);
    const labels = { 'vpn.rekindle.dev/gateway': 'home', 'vpn.rekindle.dev/key-ring': 'office-ticket-key' };
    assert.deepEqual(keys(toManifest({ kind: 'Pod', metadata: { ...metadata, labels } })), [
      'TicketKey office',
      'VpnGateway home',
    ]);
    const moved = {
      ...gateway,
      spec: { ...Object(gateway['spec']), ticketKeyRef: { name: 'other' } },
      metadata: { ...gateway.metadata, generation: 2 },
    };
    assert.deepEqual(keys(moved, gateway), ['TicketKey office', 'TicketKey other', 'VpnGateway office']);
    assert.deepEqual(keys({ ...gateway, status: { replicas: 7 } }, gateway), []);
  });
});
