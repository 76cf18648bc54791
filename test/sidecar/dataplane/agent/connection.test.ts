/** Sidecar and agent over a real Unix socket: orders, reports, restarts on both sides. */
import assert from 'node:assert/strict';
import { fstatSync } from 'node:fs';
import { open, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { AgentAway } from '../../../../sidecar/dataplane/agent/agent-connection.ts';
import { ChildrenInForce } from '../../../../sidecar/dataplane/kernel/children-in-force.ts';
import { scratch } from '../../../harness/scratch.ts';
import { gatewayPath, selector } from '../children.ts';
import { type Agent, type AgentOptions, allowance, eventually, FakeKernel, install, Sidecar, startAgent } from './stations.ts';

describe('sidecar and agent', { timeout: 30_000 }, () => {
  const path = join(scratch().path, 'agent.sock');
  const started: (() => Promise<unknown>)[] = [];
  const agent = async (options?: AgentOptions): Promise<Agent> => {
    const one = await startAgent(path, options);
    started.push(() => one.stop());
    return one;
  };
  const sidecar = (...children: readonly number[]): Sidecar => {
    const other = new Sidecar(path);
    other.children.push(...children.map((spi) => install(spi)));
    started.push(() => other.connection.close());
    return other;
  };
  const both = async (options?: AgentOptions): Promise<{ one: Agent; other: Sidecar }> => {
    const [one, other] = [await agent(options), sidecar()];
    await eventually('synced', () => one.server.synced);
    return { one, other };
  };
  afterEach(async () => {
    for (const close of started.splice(0).reverse()) await close();
  });

  it('greet each other, and the sidecar names all its children', async () => {
    const one = await agent();
    one.server.health([{ severity: 'warning', text: 'forwarding of IPv6\nis off' }]);
    const other = sidecar(0x1000, 0x2000);
    await eventually('synced', () => one.server.synced);
    assert.deepEqual(other.welcomes, [{ type: 'welcome', protocol: 1, dataplane: 'kernel', mtu: 1400, isolateClients: false }]);
    await other.connection.settle();
    assert.deepEqual(other.health, [[{ severity: 'warning', text: 'forwarding of IPv6 is off' }]]);
    assert.deepEqual(one.kernel.told, ['reconcile 1000 2000', 'settle']);
    assert.deepEqual(one.kernel.children.get(0x2000), install(0x2000));
  });

  it('carry out orders in the order in which they were given, each with its outcome', async () => {
    const { one, other } = await both();
    const { connection } = other;
    const outcomes = await Promise.all([
      connection.request([install(0x1000), install(0x2000)]),
      connection.request([{ order: 'move', spiIn: 0x1000, path: gatewayPath, encapsulated: true }]),
      connection.settle(),
      connection.request([{ order: 'remove', spiIn: 0x2000 }, { order: 'remove', spiIn: 0x3000 }, install(0x3000)]),
    ]);
    const done = { ok: true, traffic: undefined };
    const traffic = { spiIn: 0x2000, packetsIn: 1, bytesIn: 84, packetsOut: 2, bytesOut: 168 };
    assert.deepEqual(outcomes, [[done, done], [done], undefined, [{ ok: true, traffic }, done, done]]);
    assert.deepEqual(one.kernel.told, [
      ...['reconcile', 'install 1000', 'install 2000', 'move 1000 198.51.100.7:4500', 'settle'],
      ...['remove 2000', 'remove 3000', 'install 3000'],
    ]);
  });

  it('refuse what the configuration of the agent does not allow, and say what the kernel would not do', async () => {
    const { one, other } = await both();
    one.kernel.fails = 'EINVAL:\n\tno such algorithm';
    const outcomes = await other.connection.request([
      install(0x1000, { remote: [selector('0.0.0.0', '255.255.255.255')] }),
      { order: 'move', spiIn: 0x1000, path: { ...gatewayPath, remote: '127.0.0.1:4500' }, encapsulated: true },
      install(0x2000),
    ]);
    assert.deepEqual(outcomes, [
      { ok: false, why: 'refused', reason: 'child.remote[0]: 0.0.0.0 to 255.255.255.255 is not inside one pool' },
      { ok: false, why: 'refused', reason: 'path.remote: 127.0.0.1 is no address of a host on a network' },
      { ok: false, why: 'failed', reason: 'EINVAL: no such algorithm' },
    ]);
    assert.deepEqual(one.kernel.told, ['reconcile', 'install 2000']);
  });

  it('report a child that was named and is not allowed as lost', async () => {
    const one = await agent();
    const other = sidecar(0x1000);
    other.children.push(install(0x2000, { remote: [selector('10.7.0.1')] }), install(0x3000), install(0x3000));
    await eventually('reports', () => other.reports.length === 2);
    assert.deepEqual(other.reports, [
      { report: 'lost', spiIn: 0x2000, reason: 'refused: child.remote[0]: 10.7.0.1 is not inside one pool' },
      { report: 'lost', spiIn: 0x3000, reason: 'refused: child.spiIn: named twice' },
    ]);
    assert.deepEqual(one.kernel.told, ['reconcile 1000 3000']);
  });

  it('have no more children than the pools can need, counting those that go', async () => {
    const children = new ChildrenInForce(new FakeKernel(), { ...allowance(), mostChildren: 2 });
    const outcomes = async (...spis: readonly number[]): Promise<readonly boolean[]> =>
      (await children.carryOut(spis.map((spi) => install(spi)))).map(({ ok }) => ok);
    assert.deepEqual(await outcomes(0x1000, 0x2000, 0x3000), [true, true, false]);
    await children.carryOut([{ order: 'remove', spiIn: 0x1000 }]);
    assert.deepEqual(await outcomes(0x3000, 0x4000), [true, false]);
    children.observe([{ report: 'lost', spiIn: 0x2000 }]);
    assert.deepEqual(await outcomes(0x3000, 0x4000, 0x5000), [true, true, false]);
    const named = await children.reconcile([0x6000, 0x7000, 0x8000].map((spi) => install(spi)));
    assert.deepEqual(
      named.map(({ ok }) => ok),
      [true, true, false],
    );
    assert.equal(children.count, 2);
  });

  it('carry ten thousand children, named and ordered, in messages of bounded size', async () => {
    const one = await agent();
    const spis = Array.from({ length: 10_000 }, (_, index) => 0x1_0000 + index);
    const other = sidecar(...spis.slice(0, 5_000));
    await eventually('synced', () => one.server.synced);
    const peer = { idType: 11, data: new Uint8Array(4096) };
    const rest = await Promise.all(spis.slice(5_000).map((spi) => other.connection.request([install(spi, { peer })])));
    assert.ok(rest.flat().every(({ ok }) => ok));
    assert.deepEqual([...one.kernel.children.keys()], spis);
  });

  it('tell what the kernel tells, and before a request is answered what came before', async () => {
    const { one, other } = await both();
    const carried = { spiIn: 0x1000, packetsIn: 1, bytesIn: 2, packetsOut: 3, bytesOut: 4 };
    const alive = { report: 'alive', spiIn: 0x1000, path: gatewayPath } as const;
    one.server.reports([alive, ...Array(2_000).fill({ report: 'carried', spiIn: 0x2000, sent: 1, received: 2 })]);
    one.server.traffic([carried], { replay: 7 });
    await other.connection.settle();
    assert.deepEqual([other.reports.length, other.reports[0], other.traffic], [2_001, alive, [carried]]);
  });

  it('tell a change of health, and nothing twice', async () => {
    const { one, other } = await both();
    const problem = { severity: 'blocking', text: 'net.ipv4.ip_forward is 0' } as const;
    for (const problems of [[problem], [problem], []]) one.server.health(problems);
    await other.connection.settle();
    assert.deepEqual(other.health, [[], [problem], []]);
  });

  it('go on after the agent was started again, with the children of the sidecar', async () => {
    const kernel = new FakeKernel();
    const first = await startAgent(path, { kernel });
    const other = sidecar(0x1000);
    await eventually('synced', () => first.server.synced);
    await first.stop();
    await eventually('lost', () => other.losses.length > 0);
    await assert.rejects(other.connection.request([install(0x2000)]), AgentAway);
    kernel.told.length = 0;
    other.children.push(install(0x3000));
    const second = await agent({ kernel });
    await eventually('synced again', () => second.server.synced);
    assert.deepEqual(kernel.told, ['reconcile 1000 3000']);
    assert.deepEqual(await other.connection.request([install(0x4000)]), [{ ok: true, traffic: undefined }]);
    assert.equal(other.losses[0], 'the agent closed the connection');
  });

  it('reject what was asked for when the agent goes before it answers', async () => {
    const { one, other } = await both();
    one.kernel.hold = new Promise(() => {});
    const asked = Promise.allSettled([other.connection.request([install(0x1000)]), other.connection.settle()]);
    await eventually('begun', () => one.kernel.told.includes('settle'));
    await one.stop();
    for (const result of await asked) assert.ok(result.status === 'rejected' && result.reason instanceof AgentAway);
  });

  it('name all children anew when the configuration changes', async () => {
    const { one, other } = await both();
    other.children.push(install(0x1000));
    one.server.renew({ dataplane: 'kernel', mtu: 1300, isolateClients: true });
    await eventually('synced', () => one.server.synced);
    assert.deepEqual(
      other.welcomes.map(({ mtu, isolateClients }) => [mtu, isolateClients]),
      [
        [1400, false],
        [1300, true],
      ],
    );
    assert.deepEqual(one.kernel.told, ['reconcile', 'reconcile 1000']);
  });

  it('keep for a new sidecar what happened while none was there', async () => {
    const one = await agent();
    const elsewhere = { ...gatewayPath, remote: '203.0.113.1:9' };
    one.server.reports([
      { report: 'alive', spiIn: 0x1000, path: elsewhere },
      { report: 'alive', spiIn: 0x1000 },
      { report: 'expiring', spiIn: 0x1000 },
    ]);
    const other = sidecar(0x1000);
    await eventually('reports', () => other.reports.length === 2);
    assert.deepEqual(other.reports, [
      { report: 'alive', spiIn: 0x1000, path: elsewhere },
      { report: 'expiring', spiIn: 0x1000 },
    ]);
  });

  it('report nothing of a child before the sidecar has named it', async () => {
    const kernel = new FakeKernel();
    const gate = Promise.withResolvers<void>();
    kernel.hold = gate.promise;
    const [one, other] = [await agent({ kernel }), sidecar(0x1000)];
    await eventually('named', () => kernel.told.includes('reconcile 1000'));
    one.server.reports([{ report: 'expiring', spiIn: 0x1000 }]);
    one.server.health([{ severity: 'warning', text: 'later' }]);
    await eventually('health', () => other.health.length === 2);
    assert.deepEqual(other.reports, []);
    gate.resolve();
    await eventually('reports', () => other.reports.length === 1);
  });

  it('let a sidecar that was started again take the place of the one before', async () => {
    const { one, other } = await both();
    const again = sidecar(0x2000);
    await eventually('new one', () => again.welcomes.length === 1 && one.kernel.told.includes('reconcile 2000'));
    await again.connection.settle();
    await eventually('old one', () => other.losses.length > 0);
    await other.connection.close();
    await eventually('new one is back', () => one.server.synced && again.welcomes.length >= 1);
  });

  it('hand over descriptors of the TUN device', async () => {
    const file = join(scratch().path, 'tun');
    await writeFile(file, 'not a device, but a file');
    const given: number[] = [];
    const { other } = await both({
      tun: async (queues) => {
        const files = await Promise.all(Array.from({ length: queues }, () => open(file)));
        const descriptors = files.map(({ fd }) => fd);
        given.push(...descriptors);
        return descriptors;
      },
    });
    const taken = await other.connection.tun(3);
    const { ino } = await stat(file);
    assert.deepEqual(
      taken.map((fd) => fstatSync(fd).ino),
      [ino, ino, ino],
    );
    for (const fd of given) assert.ok(taken.includes(fd) || !isOpen(fd, ino), 'the agent keeps none open');
  });

  it('say why there is no TUN device', async () => {
    const { other } = await both();
    await assert.rejects(other.connection.tun(1), /^Error: no TUN device of the agent: the kernel data plane serves here$/);
  });

  it('are nobody to each other when none is there: the reason is said once', async () => {
    const other = sidecar();
    await eventually('lost', () => other.losses.length > 0);
    const one = await agent();
    await eventually('synced', () => one.server.synced);
    assert.deepEqual(other.losses, [`${path}: nobody listens there yet; it is tried again until the agent has started`]);
  });
});

function isOpen(fd: number, ino: number): boolean {
  try {
    return fstatSync(fd).ino === ino;
  } catch {
    return false;
  }
}
