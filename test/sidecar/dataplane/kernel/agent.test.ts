/** The agent as a whole, over a real socket and a real file, with a host that is none: what it puts in force, when, and what it leaves behind. */
import assert from 'node:assert/strict';
import { openSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Problem } from '../../../../sidecar/contract/agent-protocol.ts';
import type { DataplaneConfig } from '../../../../sidecar/contract/dataplane-config.ts';
import { Agent, type AgentParts } from '../../../../sidecar/dataplane/kernel/agent.ts';
import { agentRoutes } from '../../../../sidecar/dataplane/kernel/agent-metrics.ts';
import type { Host, KernelObserver } from '../../../../sidecar/dataplane/kernel/kernel-port.ts';
import { Readiness } from '../../../../sidecar/process/readiness.ts';
import { scratch } from '../../../harness/scratch.ts';
import { eventually, FakeKernel, install, logged, Sidecar, syscalls } from '../agent/stations.ts';

class FakeHost implements Host {
  readonly told: string[] = [];
  esp: 'kernel' | { readonly reason: string } = 'kernel';
  mtu = 1400;
  filterFails: string | undefined;
  problems: readonly Problem[] = [];
  drops: Readonly<Record<string, number>> = {};

  async probeKernel(): Promise<'kernel' | { readonly reason: string }> {
    return this.esp;
  }

  async applyPacketFilter({ pools, traffic }: DataplaneConfig, dataplane: string): Promise<void> {
    this.told.push(`filter ${dataplane} ${pools} ${traffic.isolateClients ? 'isolated' : 'open'}`);
    if (this.filterFails !== undefined) throw new Error(this.filterFails);
  }

  async removePacketFilter(): Promise<void> {
    this.told.push('no filter');
  }

  filterDrops(): Readonly<Record<string, number>> {
    return this.drops;
  }

  async checkHost(): Promise<readonly Problem[]> {
    return this.problems;
  }

  async innerMtu({ traffic }: DataplaneConfig): Promise<number> {
    return traffic.mtu || this.mtu;
  }

  async openTunDevice({ tun }: DataplaneConfig, queues: number): Promise<readonly number[]> {
    this.told.push(`tun ${tun}`);
    return Array.from({ length: queues }, () => openSync('/dev/null', 'r'));
  }
}

const yaml = (more = ''): string =>
  `name: test/gateway\npools: [10.8.0.0/16, "fd08::/64"]\nroutes: [10.9.0.0/16]\n${more}\n...\n`;

describe('the agent', { timeout: 30_000 }, () => {
  const ending: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const end of ending.splice(0).reverse()) await end();
  });

  interface World {
    readonly agent: Agent;
    readonly host: FakeHost;
    readonly kernel: FakeKernel;
    readonly readiness: Readiness;
    readonly lines: readonly { readonly msg: string }[];
    readonly failures: string[];
    readonly path: string;
    readonly observer: () => KernelObserver;
    write(text: string): void;
    sidecar(): Sidecar;
    start(): Promise<void>;
  }

  function world(
    text: string | undefined,
    change: Partial<AgentParts> & { orphanGraceMs?: number; host?: FakeHost } = {},
  ): World {
    const folder = scratch().path;
    const [config, path] = [join(folder, 'dataplane.yaml'), join(folder, 'agent.sock')];
    const write = (now: string): void => {
      writeFileSync(`${config}.new`, now);
      renameSync(`${config}.new`, config);
    };
    if (text !== undefined) write(text);
    const { log, lines } = logged();
    const [host, kernel, readiness, failures] = [
      change.host ?? new FakeHost(),
      new FakeKernel(),
      new Readiness(),
      [] as string[],
    ];
    let observer: KernelObserver | undefined;
    const { orphanGraceMs = 60_000, ...parts } = change;
    const agent = new Agent(
      {
        ...{ config, socket: path, socketMode: 0o600, allowUids: [process.getuid?.() ?? 0], orphanGraceMs },
        ...{ logLevel: 'info', metrics: undefined },
      },
      {
        ...{ host, syscalls, log, readiness, isOwn: (address) => address.join('.') === '192.0.2.1', checkMs: 10, leaveMs: 30 },
        openKernel: async (_, given) => {
          observer = given;
          return kernel;
        },
        failed: (error) => failures.push(error.message),
        ...parts,
      },
    );
    let closed = false;
    ending.push(async () => {
      if (!closed) await agent.close();
      closed = true;
    });
    return {
      ...{ agent, host, kernel, readiness, lines, failures, path, write },
      observer: () => {
        assert.ok(observer);
        return observer;
      },
      sidecar() {
        const other = new Sidecar(path);
        ending.push(() => other.connection.close());
        return other;
      },
      start: () => agent.start(),
    };
  }

  it('puts the packet filter in force before any child is carried', async () => {
    const host = new FakeHost();
    host.filterFails = 'no nft';
    const { start, sidecar, kernel, readiness, lines } = world(yaml(), { host });
    await start();
    const other = sidecar();
    await eventually('health', () => other.health.some(([first]) => first !== undefined));
    assert.deepEqual(other.health.at(-1), [{ severity: 'blocking', text: 'the packet filter is not as it should be: no nft' }]);
    const [refused] = await other.connection.request([install(0x1000)]);
    assert.match(JSON.stringify(refused), /"why":"failed","reason":"the packet filter is not in force yet/);
    await eventually('not ready', () => !readiness.ready);
    host.filterFails = undefined;
    await eventually('children are named anew', () => other.welcomes.length === 2 && readiness.ready);
    assert.deepEqual(await other.connection.request([install(0x1000)]), [{ ok: true, traffic: undefined }]);
    assert.deepEqual(kernel.told, ['reconcile', 'install 1000']);
    assert.equal(lines.filter(({ msg }) => msg.includes('no nft')).length, 1, 'said once');
  });

  it('waits for its configuration, and says so', async () => {
    const { start, sidecar, write, readiness, lines } = world('name: test/gateway\npools: []\nroutes: []\n...\n');
    await start();
    assert.deepEqual(readiness.reasons(), ['waiting for dataplane.yaml']);
    assert.match(lines.map(({ msg }) => msg).join('\n'), /dataplane\.yaml: pools: 0 items; list at least 1/);
    const other = sidecar();
    await eventually('lost', () => other.losses.length > 0);
    write(yaml());
    await eventually('welcome', () => other.welcomes.length === 1);
    assert.deepEqual(other.losses.length, 1);
  });

  it('takes the kernel where it does ESP, and user space elsewhere or when told so', async () => {
    const cases = [
      ['auto', 'kernel', 'kernel'],
      ['auto', { reason: 'no esp4' }, 'userspace'],
      ['userspace', 'kernel', 'userspace'],
      ['kernel', 'kernel', 'kernel'],
    ] as const;
    for (const [asked, esp, expected] of cases) {
      const host = new FakeHost();
      host.esp = esp;
      const { start, sidecar, agent, kernel, lines } = world(yaml(`dataplane: ${asked}`), { host });
      await start();
      const other = sidecar();
      await eventually('welcome', () => other.welcomes.length > 0);
      assert.equal(other.welcomes[0]?.dataplane, expected);
      assert.equal(agent.status?.dataplane, expected);
      assert.match(lines.map(({ msg }) => msg).join('\n'), new RegExp(`data plane: ${expected}: `));
      if (expected === 'userspace') assert.deepEqual(kernel.told, ['flush'], 'nothing of another time is left in the kernel');
    }
  });

  it('serves without children while the kernel that it must take does no ESP, and with them as soon as it does', async () => {
    const host = new FakeHost();
    host.esp = { reason: 'load the module esp4' };
    const { start, sidecar, readiness } = world(yaml('dataplane: kernel'), { host });
    await start();
    const other = sidecar();
    await eventually('not ready', () => !readiness.ready && other.health.length > 0);
    assert.match(
      readiness.reasons().join(),
      /^dataplane\.yaml asks for the kernel's ESP, which cannot serve: load the module esp4$/,
    );
    assert.match(JSON.stringify(await other.connection.request([install(0x1000)])), /"failed","reason":"load the module esp4"/);
    host.esp = 'kernel';
    await eventually('again', () => other.welcomes.length === 2 && readiness.ready);
    assert.deepEqual(await other.connection.request([install(0x1000)]), [{ ok: true, traffic: undefined }]);
  });

  it('hands over the TUN device in user space, and none in the kernel', async () => {
    const one = world(yaml('dataplane: userspace\ntun: tun7'));
    await one.start();
    const descriptors = await one.sidecar().connection.tun(2);
    assert.equal(descriptors.length, 2);
    assert.ok(one.host.told.includes('tun tun7'));
    const other = world(yaml());
    await other.start();
    await assert.rejects(other.sidecar().connection.tun(1), /the kernel data plane serves here, which has no TUN device/);
  });

  it('follows its configuration: what is no longer allowed goes', async () => {
    const { start, sidecar, write, kernel, host } = world(yaml());
    await start();
    const other = sidecar();
    other.children.push(install(0x1000));
    await eventually('synced', () => kernel.told.includes('reconcile 1000'));
    write(yaml('traffic: { isolateClients: true, mtu: 1300 }').replace('10.8.0.0/16', '10.7.0.0/16'));
    await eventually('lost', () => other.reports.length > 0);
    assert.deepEqual(other.reports, [
      { report: 'lost', spiIn: 0x1000, reason: 'refused: child.remote[0]: 10.8.0.7 is not inside one pool' },
    ]);
    assert.deepEqual(kernel.told, ['reconcile 1000', 'reconcile']);
    assert.deepEqual([other.welcomes.at(-1)?.mtu, other.welcomes.at(-1)?.isolateClients], [1300, true]);
    assert.deepEqual(host.told, ['filter kernel 10.8.0.0/16,fd08::/64 open', 'filter kernel 10.7.0.0/16,fd08::/64 isolated']);
  });

  it('keeps what was in force while the new file is bad, and what needs a restart until then', async () => {
    const { start, sidecar, write, host, kernel } = world(yaml());
    await start();
    const other = sidecar();
    await eventually('synced', () => kernel.told.length > 0);
    write(yaml('mark: many'));
    await eventually('told', () => JSON.stringify(other.health.at(-1)).includes('mark: not a whole number'));
    assert.deepEqual(host.told, ['filter kernel 10.8.0.0/16,fd08::/64 open']);
    write(yaml('mark: 7'));
    const restart = 'dataplane.yaml: mark: changed; it takes effect when agent and sidecar are started anew';
    await eventually('told', () => other.health.at(-1)?.[0]?.text === restart);
    write(yaml());
    await eventually('well', () => other.health.at(-1)?.length === 0);
  });

  it('follows the MTU of the interface', async () => {
    const { start, sidecar, host } = world(yaml());
    await start();
    const other = sidecar();
    await eventually('welcome', () => other.welcomes.length === 1);
    host.mtu = 1280;
    await eventually('welcome', () => other.welcomes.at(-1)?.mtu === 1280);
    assert.equal(host.told.length, 2);
  });

  it('tells the sidecar what it finds wrong with the host, and what the packet filter drops', async () => {
    const { start, sidecar, host, readiness, observer, kernel } = world(yaml());
    await start();
    const other = sidecar();
    host.problems = [{ severity: 'blocking', text: 'net.ipv4.ip_forward is 0' }];
    await eventually('health', () => other.health.at(-1)?.[0]?.text === 'net.ipv4.ip_forward is 0');
    await eventually('not ready', () => !readiness.ready);
    host.drops = { 'spoofed-source': 3 };
    await eventually('synced', () => kernel.told.length > 0);
    observer().traffic([{ spiIn: 0x1000, packetsIn: 1, bytesIn: 2, packetsOut: 3, bytesOut: 4 }], { replay: 2 });
    await eventually('traffic', () => other.traffic.length > 0);
    assert.deepEqual(other.drops.at(-1), { replay: 2, 'spoofed-source': 3 });
  });

  it('removes children that no sidecar answers for, after a while', async () => {
    const { start, sidecar, kernel } = world(yaml(), { orphanGraceMs: 40 });
    await start();
    await eventually('flushed', () => kernel.told.includes('flush'));
    const other = sidecar();
    await eventually('synced', () => kernel.told.includes('reconcile'));
    await other.connection.close();
    await eventually('flushed again', () => kernel.told.filter((one) => one === 'flush').length === 2);
  });

  it('knows of children that it removed how far they were, better than a sidecar that was away meanwhile', async () => {
    const { start, sidecar, kernel, observer } = world(yaml(), { orphanGraceMs: 40 });
    await start();
    const first = sidecar();
    first.children.push(install(0x1000));
    await eventually('synced', () => kernel.children.has(0x1000));
    await first.connection.settle();
    await first.connection.close();
    observer().reports([{ report: 'carried', spiIn: 0x1000, sent: 5_000_000, received: 7 }]);
    await eventually('flushed', () => !kernel.children.has(0x1000));
    const second = sidecar();
    second.children.push(install(0x1000, { sequences: { sent: 1, received: 9 } }));
    await eventually('synced', () => kernel.children.has(0x1000));
    assert.deepEqual(kernel.children.get(0x1000)?.child.sequences, { sent: 5_000_000, received: 9 });
  });

  it('removes no children that a sidecar is naming just when the time is up', async () => {
    const { start, sidecar, kernel, agent } = world(yaml(), { orphanGraceMs: 60 });
    await start();
    const hold = Promise.withResolvers<void>();
    kernel.hold = hold.promise;
    const other = sidecar();
    other.children.push(install(0x1000));
    await eventually('sync', () => kernel.told.includes('reconcile 1000'));
    await delay(80);
    hold.resolve();
    await other.connection.settle();
    assert.deepEqual(kernel.told.slice(kernel.told.indexOf('reconcile 1000') + 1), ['settle']);
    assert.deepEqual([[...kernel.children.keys()], agent.status?.children], [[0x1000], 1]);
  });

  it('keeps children while a sidecar is there that has named them', async () => {
    const { start, sidecar, kernel } = world(yaml(), { orphanGraceMs: 30 });
    await start();
    const other = sidecar();
    await eventually('synced', () => kernel.told.includes('reconcile'));
    const told = kernel.told.length;
    for (let turn = 0; turn < 8; turn++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      await other.connection.settle();
    }
    assert.deepEqual(
      kernel.told.slice(told).filter((one) => one !== 'settle'),
      [],
    );
  });

  it('leaves all as it is when it ends and the sidecar stays, and nothing when no sidecar is there', async () => {
    const attended = world(yaml());
    await attended.start();
    const other = attended.sidecar();
    await eventually('synced', () => attended.kernel.told.includes('reconcile'));
    await attended.agent.close();
    assert.deepEqual([attended.kernel.told, attended.host.told.includes('no filter')], [['reconcile'], false]);
    await other.connection.close();
    const alone = world(yaml());
    await alone.start();
    await alone.agent.close();
    assert.deepEqual([alone.kernel.told, alone.host.told.at(-1)], [['flush'], 'no filter']);
    assert.deepEqual([...attended.failures, ...alone.failures], []);
  });

  it('ends at once when a sidecar that is going has gone', async () => {
    const { start, sidecar, agent, kernel } = world(yaml(), { leaveMs: 20_000 });
    await start();
    const other = sidecar();
    await eventually('synced', () => kernel.told.includes('reconcile'));
    const [closing] = [agent.close(), other.connection.close()];
    await closing;
    assert.deepEqual(kernel.told, ['reconcile', 'flush']);
  });

  it('cannot start where another one serves', async () => {
    const { start, path, host } = world(yaml());
    await start();
    const again = new Agent(
      {
        config: join(path, '..', 'dataplane.yaml'),
        socket: path,
        socketMode: 0o600,
        allowUids: [],
        orphanGraceMs: 1,
        logLevel: 'info',
        metrics: undefined,
      },
      {
        host,
        syscalls,
        log: logged().log,
        readiness: new Readiness(),
        isOwn: () => true,
        openKernel: async () => new FakeKernel(),
        failed: () => {},
      },
    );
    await assert.rejects(again.start(), /another agent serves/);
    await again.close();
  });

  it('answers probes and shows what it counts', async () => {
    const { start, sidecar, agent, readiness, kernel } = world(yaml());
    const routes = agentRoutes(agent, readiness);
    const ask = async (route: string) => (await routes[route]?.({ local: false })) ?? { status: 404, body: '' };
    assert.deepEqual([(await ask('/healthz')).status, (await ask('/readyz')).status], [200, 503]);
    await start();
    const other = sidecar();
    await eventually('synced', () => kernel.told.includes('reconcile') && readiness.ready);
    await other.connection.request([install(0x1000)]);
    assert.equal((await ask('/readyz')).status, 200);
    const { body } = await ask('/metrics');
    for (const line of [
      'agent_children 1',
      'agent_sidecar_connected 1',
      'agent_dataplane{dataplane="kernel"} 1',
      'agent_ready 1',
    ])
      assert.ok(body.includes(`rekindle_${line}\n`), line);
  });
});
