/** The local mode as a whole, with pods that run a stand-in for the sidecar; at the end once with the sidecar itself. */
import assert from 'node:assert/strict';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Happening } from '../../../operator/local/happening.ts';
import { LocalCluster, ManifestRefused } from '../../../operator/local/local-cluster.ts';
import type { LocalOptions } from '../../../operator/local/local-options.ts';
import { scratch } from '../../harness/scratch.ts';

const QUICKSTART = fileURLToPath(new URL('../../../examples/quickstart', import.meta.url));
const STAND_IN = fileURLToPath(new URL('../../harness/stand-in-sidecar.ts', import.meta.url));
const QUICK = { firstRestartMs: 10, backoffMs: 200, projectionMs: 20, readyPollMs: 20 };

const running: LocalCluster[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((cluster) => cluster.stop()));
});

async function begin(options: LocalOptions = {}) {
  const { path } = scratch();
  const manifests = join(path, 'quickstart');
  cpSync(QUICKSTART, manifests, { recursive: true });
  const heard: Happening[] = [];
  const start = async () => {
    const cluster = await LocalCluster.start(manifests, {
      state: join(path, 'state'),
      program: STAND_IN,
      podTiming: QUICK,
      endpointDelayMs: 0,
      logLevel: 'debug',
      heard: (happening) => heard.push(happening),
      ...options,
    });
    running.push(cluster);
    return cluster;
  };
  const edit = (name: string, change: (text: string) => string) =>
    writeFileSync(join(manifests, name), change(readFileSync(join(manifests, name), 'utf8')));
  return { manifests, heard, start, edit, cluster: await start() };
}

const ready = (cluster: LocalCluster, count: number) =>
  cluster.waitFor(`${count} ready pods and a ready gateway`, () => {
    const pods = cluster.pods();
    return pods.length === count && pods.every((pod) => pod.ready) && condition(cluster, 'Ready') === 'True';
  });

function condition(cluster: LocalCluster, type: string): string | undefined {
  const conditions: unknown = Object(cluster.object('VpnGateway', 'office')?.['status']).conditions;
  return Array.isArray(conditions) ? conditions.find((one) => one.type === type)?.status : undefined;
}

const isAlive = (pid: number | undefined): boolean => {
  try {
    return pid !== undefined && process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('local cluster', { timeout: 60_000, concurrency: false }, () => {
  it('makes of three manifests two ready pods, a key ring that both have acknowledged, and a service', async () => {
    const { cluster, heard } = await begin();
    await ready(cluster, 2);
    const [first, second] = cluster.pods();
    assert.deepEqual([first?.name, second?.name], ['office-0', 'office-1']);
    assert.notEqual(first?.address, second?.address);
    await cluster.waitFor('acknowledgements', () => condition(cluster, 'KeysAcknowledged') === 'True');
    assert.equal((await cluster.status('office-1'))?.keyRing?.generation, 1);
    assert.ok(
      heard.some((happening) => happening.event === 'service' && happening.address === cluster.service('office').address),
    );
    await cluster.stop();
    assert.deepEqual([isAlive(first?.pid), isAlive(second?.pid)], [false, false]);
  });

  it('restarts a killed container in place, at once the first time, with growing pauses after', async () => {
    const { cluster } = await begin();
    await ready(cluster, 2);
    const [before] = cluster.pods();
    assert.ok(cluster.kill('office-0'));
    await cluster.waitFor('a restart', () => cluster.pods()[0]?.restarts === 1 && cluster.pods()[0]?.ready);
    const [after] = cluster.pods();
    assert.deepEqual([after?.uid, after?.address], [before?.uid, before?.address]);
    assert.notEqual(after?.pid, before?.pid);
    assert.ok(cluster.kill('office-0'));
    await cluster.waitFor('a pause', () =>
      cluster.events().some(({ reason, message }) => reason === 'BackOff' && message.endsWith('0.2 s')),
    );
    await cluster.waitFor('another restart', () => cluster.pods()[0]?.restarts === 2 && cluster.pods()[0]?.ready);
  });

  it('keeps a killed pod away as long as it is told to', async () => {
    const { cluster } = await begin();
    await ready(cluster, 2);
    cluster.kill('office-1', 'SIGKILL', { holdMs: 60_000 });
    await cluster.waitFor('its end', () => cluster.pods()[1]?.pid === undefined);
    assert.ok(cluster.events().some(({ reason, message }) => reason === 'Died' && message.endsWith('60 s')));
  });

  it('replaces a deleted pod by another one of the same name', async () => {
    const { cluster } = await begin();
    await ready(cluster, 2);
    const [before] = cluster.pods();
    cluster.deletePod('office-0');
    await cluster.waitFor('a successor', () => cluster.pods()[0]?.ready && cluster.pods()[0]?.uid !== before?.uid);
    await ready(cluster, 2);
  });

  it('rotates the key ring when the manifest says so, and every pod follows', async () => {
    const { cluster, edit } = await begin();
    await ready(cluster, 2);
    edit('ticket-key.yaml', (text) => `${text}  rotationToken: now\n`);
    await cluster.waitFor('generation 3 everywhere', async () => {
      const loaded = await Promise.all(cluster.pods().map(({ name }) => cluster.status(name)));
      return loaded.every((status) => (status?.keyRing?.generation ?? 0) >= 3);
    });
    const log = readFileSync(join(cluster.stateDirectory, 'logs', 'operator.log'), 'utf8');
    const secret = Object(cluster.object('Secret', 'office-ticket-key')?.['data'])['key-ring.yaml'];
    const keys = [
      ...Buffer.from(`${secret}`, 'base64')
        .toString('utf8')
        .matchAll(/secret: *(\S+)/g),
    ].map(([, key]) => key ?? '');
    assert.ok(keys.length >= 2);
    for (const key of keys) assert.ok(!log.includes(key), 'a key is in the log');
  });

  it('follows replicas up and down', async () => {
    const { cluster } = await begin();
    await ready(cluster, 2);
    cluster.edit('VpnGateway', 'office', { spec: { replicas: 3 } });
    await ready(cluster, 3);
    cluster.edit('VpnGateway', 'office', { spec: { replicas: 1 } });
    await ready(cluster, 1);
  });

  it('refuses a wrong edit with its place and a remedy, and changes nothing', async () => {
    const { cluster } = await begin();
    const before = cluster.object('VpnGateway', 'office');
    assert.throws(
      () => cluster.edit('VpnGateway', 'office', { spec: { pools: [{ cidr: '10.8.0.0' }] } }),
      (error) => error instanceof ManifestRefused && /spec\.pools\[0\]\.cidr: .+; write/.test(error.message),
    );
    assert.deepEqual(cluster.object('VpnGateway', 'office')?.['spec'], before?.['spec']);
  });

  it('goes on after a restart with the same ring and the same addresses', async () => {
    const { cluster, start } = await begin();
    await ready(cluster, 2);
    const ring = cluster.object('Secret', 'office-ticket-key');
    const addresses = cluster.pods().map(({ address }) => address);
    await assert.rejects(start(), /uses this state directory; stop it/);
    await cluster.stop();
    const again = await start();
    await ready(again, 2);
    assert.deepEqual(again.object('Secret', 'office-ticket-key')?.['data'], ring?.['data']);
    assert.deepEqual(
      again.pods().map(({ address }) => address),
      addresses,
    );
  });

  it('takes everything away with its manifest, and says why it cannot begin without a directory', async () => {
    const { cluster, manifests } = await begin();
    await ready(cluster, 2);
    rmSync(join(manifests, 'gateway.yaml'));
    await cluster.waitFor('no pods', () => cluster.pods().length === 0);
    assert.equal(cluster.object('StatefulSet', 'office'), undefined);
    await assert.rejects(
      LocalCluster.start(join(manifests, 'none'), { state: scratch().path }),
      /none: not a directory; name one/,
    );
  });

  it('shows a missing Secret and an empty key as a condition', async () => {
    const { cluster, edit, manifests, heard } = await begin({
      program: fileURLToPath(new URL('../../../sidecar/main.ts', import.meta.url)),
    });
    await ready(cluster, 2);
    edit('users.yaml', (text) => text.replace('correct-horse-battery-staple', '""'));
    await cluster.waitFor('a condition', () => condition(cluster, 'Ready') === 'False', 10_000);
    const told = heard.flatMap((happening) => (happening.event === 'condition' ? [happening.message] : []));
    assert.match(told.join('\n'), /office-\d says: pre-shared keys: users\.yaml: 1 problem.* Correct Secret office-users \(/);
    rmSync(join(manifests, 'users.yaml'));
    await cluster.waitFor('a warning', () =>
      heard.some((one) => one.event === 'warning' && /no Secret "office-users"/.test(one.problems.join())),
    );
  });
});
