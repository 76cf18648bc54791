/**
 * The agent's packet filter and TUN device in a real kernel: the test is the sidecar behind the TUN device and the world behind another one.
 * Needs root and Linux; run it in a network of its own:
 *
 *     unshare -n node --test test/tun/packet-filter.ts
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { createHost } from '../../sidecar/dataplane/kernel/host.ts';
import { PacketFilter } from '../../sidecar/dataplane/kernel/packet-filter.ts';
import type { FilterDrop } from '../../sidecar/dataplane/kernel/ruleset.ts';
import { ping } from '../sidecar/dataplane/children.ts';
import { type Change, configured, goldens } from '../sidecar/dataplane/kernel/rulesets.ts';
import { datagram, Line, segmentSize, syn } from './line.ts';

const TUN = 'rekindle-test';
const CLIENT = { 4: '10.8.0.7', 6: 'fd08::7' } as const;
const OTHER = { 4: '10.8.0.9', 6: 'fd08::9' } as const;
const OWN = { 4: '10.8.0.1', 6: 'fd08::1' } as const;
const POD = { 4: '203.0.113.1', 6: '2001:db8:9::1' } as const;
const SERVER = { 4: '192.0.2.5', 6: '2001:db8:1::5' } as const;
const ELSEWHERE = { 4: '198.51.100.5', 6: '2001:db8:2::5' } as const;
const FAMILIES = [4, 6] as const;

const host = createHost();
const config = (change: Change = {}) => configured({ tun: TUN, ...change });
const ip = (...args: readonly string[]): string => execFileSync('ip', args, { encoding: 'utf8', stdio: 'pipe' });
const nft = (...args: readonly string[]): string => execFileSync('nft', args, { encoding: 'utf8', stdio: 'pipe' });
let wire: Line;
let tunnel: Line;

before(async () => {
  ip('link', 'set', 'lo', 'up');
  wire = await Line.create('wire0', [`${POD[4]}/24`, `${POD[6]}/64`]);
  ip('route', 'add', 'default', 'dev', 'wire0');
  ip('-6', 'route', 'add', 'default', 'dev', 'wire0');
  await host.applyPacketFilter(config(), 'userspace');
  assert.deepEqual(await host.checkHost(config(), 'userspace'), []);
  const [queue = -1] = await host.openTunDevice(config(), 1);
  tunnel = await Line.adopt(TUN, queue);
});
after(async () => {
  await Promise.all([wire.close(), tunnel.close()]);
  await host.removePacketFilter(config());
  assert.equal(nft('list', 'ruleset'), '');
});
beforeEach(() => {
  wire.seen.length = 0;
  tunnel.seen.length = 0;
});
afterEach(() => host.applyPacketFilter(config(), 'userspace'));

const apply = (change: Change) => host.applyPacketFilter(config(change), 'userspace');

/** What is lost by one action, which nobody sees leave by the line. */
async function dropped(line: Line, act: () => unknown): Promise<Partial<Record<FilterDrop, number>>> {
  await host.checkHost(config(), 'userspace');
  const earlier = host.filterDrops();
  line.seen.length = 0;
  await act();
  await wait(50);
  await host.checkHost(config(), 'userspace');
  assert.deepEqual(ways(line), []);
  return Object.fromEntries(
    Object.entries(host.filterDrops()).flatMap(([reason, count]) =>
      count === earlier[reason] ? [] : [[reason, count - (earlier[reason] ?? 0)]],
    ),
  );
}

/** The kernel of an interface with IPv6 says who it listens to. */
const ways = (line: Line): string[] => line.seen.map(({ way }) => way).filter((way) => !way.includes('→ ff02::16'));

describe('the golden files of the packet filter', () => {
  const folder = join(import.meta.dirname, '../sidecar/dataplane/kernel/rulesets');
  for (const { file } of goldens())
    it(`${file} is what nft and this kernel take`, () => void nft('--json', '--check', '--file', join(folder, file)));
});

for (const family of FAMILIES) {
  const [client, other, own, pod, server, elsewhere] = [CLIENT, OTHER, OWN, POD, SERVER, ELSEWHERE].map((one) => one[family]) as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];

  describe(`a client, over IPv${family}`, () => {
    it('hides behind the address of the pod, and gets its answers', async () => {
      tunnel.inject(ping(client, server));
      await wire.next(`${pod} → ${server}`);
      tunnel.inject(datagram(client, server, 53, Uint8Array.of(1)));
      const { sourcePort = 0 } = await wire.next(`${pod} → ${server}`);
      wire.inject(datagram(server, pod, sourcePort, Uint8Array.of(2), 53));
      await tunnel.next(`${server} → ${client}`);
    });

    it('keeps its own address where the pool is routed', async () => {
      await apply({ traffic: { forwarding: 'routed' } });
      tunnel.inject(ping(client, server));
      await wire.next(`${client} → ${server}`);
      wire.inject(ping(server, client));
      await tunnel.next(`${server} → ${client}`);
    });

    it('cannot have another source than one of a pool, nor the one of the gateway', async () => {
      assert.deepEqual(await dropped(wire, () => tunnel.inject(ping(elsewhere, server))), { 'foreign-source': 1 });
      assert.deepEqual(await dropped(wire, () => tunnel.inject(ping(own, server))), { 'foreign-source': 1 });
    });

    it('reaches what routes lead to, and nothing else', async () => {
      assert.deepEqual(await dropped(wire, () => tunnel.inject(ping(client, elsewhere))), { 'outside-routes': 1 });
      await apply({ routes: ['0.0.0.0/0', '::/0'] });
      tunnel.inject(ping(client, elsewhere));
      await wire.next(`${pod} → ${elsewhere}`);
    });

    it('does not reach the link and the metadata of a cloud by a default route', async () => {
      await apply({ routes: ['0.0.0.0/0', '::/0'] });
      for (const hidden of family === 4 ? ['169.254.169.254', '224.0.0.1'] : ['fd00:ec2::254', 'ff02::1'])
        assert.deepEqual(await dropped(wire, () => tunnel.inject(ping(client, hidden))), { 'outside-routes': 1 }, hidden);
    });

    it('pings the gateway and reaches nothing else of it', async () => {
      tunnel.inject(ping(client, own));
      await tunnel.next(`${own} → ${client}`);
      for (const port of [53, 8080])
        assert.deepEqual(await dropped(wire, () => tunnel.inject(datagram(client, own, port, Uint8Array.of(1)))), { local: 1 });
    });

    it('reaches the pod itself only where a route names it, and never its loopback', async (t) => {
      const heard = await listener(family, t);
      const ask = (to: string) => () => tunnel.inject(datagram(client, to, 9, new TextEncoder().encode(to)));
      assert.deepEqual(await dropped(wire, ask(pod)), { 'outside-routes': 1 });
      await apply({ routes: ['0.0.0.0/0', '::/0'] });
      assert.deepEqual(await dropped(wire, ask(pod)), { local: 1 });
      const loopback = family === 4 ? '127.0.0.1' : '::1';
      await apply({ routes: ['127.0.0.0/8', '::1/128', '0.0.0.0/0', '::/0'] });
      // The kernel has dropped this one before any filter, over IPv6.
      assert.deepEqual(await dropped(wire, ask(loopback)), family === 4 ? { local: 1 } : {});
      assert.deepEqual(heard, []);
      await apply({ routes: [`${pod}/${family === 4 ? 32 : 128}`] });
      assert.deepEqual(await dropped(wire, ask(pod)), {});
      assert.deepEqual(heard, [pod]);
    });

    it('reaches other clients unless they are isolated', async () => {
      tunnel.inject(ping(client, other));
      await tunnel.next(`${client} → ${other}`);
      await apply({ traffic: { isolateClients: true } });
      assert.deepEqual(await dropped(wire, () => tunnel.inject(ping(client, other))), { isolated: 1 });
      assert.ok(!tunnel.seen.some(({ way }) => way === `${client} → ${other}`));
      await tunnel.next(`${own} → ${client}`);
    });

    it('has segments made to fit, those that it offers and those that it is offered', async () => {
      const fits = 1390 - (family === 4 ? 40 : 60);
      tunnel.inject(syn(client, server, 1460));
      const opening = await wire.next(`${pod} → ${server}`);
      assert.equal(segmentSize(opening), fits);
      wire.inject(syn(server, pod, 1460, { accepts: true, ports: [443, opening.sourcePort ?? 0] }));
      assert.equal(segmentSize(await tunnel.next(`${server} → ${client}`)), fits);
      tunnel.inject(syn(client, server, 536, { ports: [40_001, 443] }));
      assert.equal(segmentSize(await wire.next(`${pod} → ${server}`)), 536);
    });

    it('keeps to the interfaces that are configured', async () => {
      await apply({ interfaces: ['net1'] });
      assert.deepEqual(await dropped(wire, () => tunnel.inject(ping(client, server))), { interface: 1 });
      await apply({ interfaces: ['net1', 'wire0'] });
      tunnel.inject(ping(client, server));
      await wire.next(`${pod} → ${server}`);
    });
  });

  describe(`the world outside, over IPv${family}`, () => {
    it('cannot have the source of a client', async () => {
      assert.deepEqual(await dropped(tunnel, () => wire.inject(ping(client, pod))), { 'spoofed-source': 1 });
      assert.deepEqual(await dropped(tunnel, () => wire.inject(ping(other, client))), { 'spoofed-source': 1 });
    });

    it('sees nothing in clear that is for a client, when the tunnel is down', async (t) => {
      await apply({ traffic: { forwarding: 'routed' } });
      ip('link', 'set', TUN, 'down');
      t.after(() =>
        apply({})
          .then(() => ip('link', 'set', TUN, 'up'))
          .then(() => apply({})),
      );
      wire.seen.length = 0;
      await dropped(tunnel, () => wire.inject(ping(server, client)));
      await dropped(tunnel, () => sendFrom(family, client));
      assert.ok(!wire.seen.some(({ way }) => way.endsWith(`→ ${client}`)));
      assert.ok((host.filterDrops()['unprotected'] ?? 0) >= 2);
    });
  });
}

describe('the table of the packet filter', () => {
  it('is replaced without losing a packet', { timeout: 30_000 }, async () => {
    let sent = 0;
    wire.seen.length = 0;
    const flood = setInterval(() => {
      for (let n = 0; n < 5; n++) tunnel.inject(ping(CLIENT[4], SERVER[4], ++sent & 0xffff));
    }, 2);
    for (let times = 0; times < 50; times++) await apply({ routes: ['192.0.2.0/24', `198.18.${times}.0/24`] });
    clearInterval(flood);
    await wait(100);
    assert.ok(sent > 1000, `${sent} packets only`);
    assert.equal(wire.seen.filter(({ way }) => way === `${POD[4]} → ${SERVER[4]}`).length, sent);
  });

  it('remains as it was when a new one is refused', async () => {
    const rules = nft('list', 'table', 'inet', 'rekindle');
    await assert.rejects(apply({ interfaces: ['a-name-that-is-far-too-long'] }), /nft --json --file \S+: .*/);
    assert.equal(nft('list', 'table', 'inet', 'rekindle'), rules);
  });

  it('is put back when something removed it, and that is told; its counters never fall', async () => {
    assert.deepEqual(await dropped(wire, () => tunnel.inject(ping(CLIENT[4], ELSEWHERE[4]))), { 'outside-routes': 1 });
    const { 'outside-routes': before = 0 } = host.filterDrops();
    nft('flush', 'ruleset');
    const [problem] = await host.checkHost(config(), 'userspace');
    assert.match(problem?.text ?? '', /^something removed rules of the nftables table rekindle; they are in force again/);
    assert.deepEqual(await host.checkHost(config(), 'userspace'), []);
    assert.equal(host.filterDrops()['outside-routes'], before);
    nft('flush', 'chain', 'inet', 'rekindle', 'arrival');
    assert.equal((await host.checkHost(config(), 'userspace')).length, 1);
    assert.deepEqual(await dropped(wire, () => tunnel.inject(ping(CLIENT[4], ELSEWHERE[4]))), { 'outside-routes': 1 });
    assert.equal(host.filterDrops()['outside-routes'], before + 1);
  });

  it('follows its mark to another name', async () => {
    const filter = new PacketFilter();
    await filter.apply(configured({ mark: 7 }), { dataplane: 'kernel', mtu: 1390 });
    await filter.apply(configured({ mark: 8 }), { dataplane: 'kernel', mtu: 1390 });
    assert.match(nft('list', 'tables'), /^table inet rekindle\ntable inet rekindle-8\n$/);
    await filter.remove();
    assert.equal(nft('list', 'tables'), 'table inet rekindle\n');
  });
});

describe('the TUN device of the agent', () => {
  it('lives on without the sidecar, and holds back no packet for the next one', async () => {
    await tunnel.close();
    assert.match(ip('address', 'show', TUN), /mtu 1390[\s\S]*inet 10\.8\.0\.1\/24[\s\S]*inet6 fd08::1\/64/);
    await sendFrom(4, CLIENT[4]);
    const queues = await host.openTunDevice(config(), 2);
    assert.equal(queues.length, 2);
    const lines = await Promise.all(queues.map((queue) => Line.adopt(TUN, queue)));
    await wait(50);
    assert.deepEqual(lines.flatMap(ways), []);
    lines[0]?.inject(ping(CLIENT[4], OWN[4]));
    await Promise.any(lines.map((line) => line.next(`${OWN[4]} → ${CLIENT[4]}`)));
    await Promise.all(lines.map((line) => line.close()));
    const [queue = -1] = await host.openTunDevice(config(), 1);
    tunnel = await Line.adopt(TUN, queue);
  });

  it('goes on carrying when the agent is replaced, whose successor has it then', async () => {
    const successor = createHost();
    const queues = await successor.openTunDevice(config(), 1);
    queues.forEach(closeSync);
    tunnel.inject(ping(CLIENT[4], OWN[4]));
    await tunnel.next(`${OWN[4]} → ${CLIENT[4]}`);
    await successor.removePacketFilter(config());
    tunnel.inject(ping(CLIENT[4], OWN[4], 2));
    await tunnel.next(`${OWN[4]} → ${CLIENT[4]}`);
  });

  it('gets the addresses of a new configuration, and loses those of the old one', async () => {
    await apply({ pools: ['10.9.0.0/24', '10.10.0.3/32'] });
    const shown = ip('address', 'show', TUN);
    assert.match(shown, /inet 10\.9\.0\.1\/24/);
    assert.doesNotMatch(shown, /10\.8\.0\.1|fd08::1/);
    assert.match(ip('route', 'show', 'dev', TUN), /10\.10\.0\.3/);
    await apply({});
    assert.doesNotMatch(ip('route', 'show', 'dev', TUN), /10\.10\.0\.3/);
  });

  it('is made anew when somebody removed it', async () => {
    ip('link', 'delete', TUN);
    await tunnel.close();
    const [queue = -1] = await host.openTunDevice(config(), 1);
    tunnel = await Line.adopt(TUN, queue);
    tunnel.inject(ping(CLIENT[4], OWN[4]));
    await tunnel.next(`${OWN[4]} → ${CLIENT[4]}`);
  });

  it('has 1 to 16 queues', async () => {
    for (const queues of [0, 17, 1.5]) await assert.rejects(host.openTunDevice(config(), queues), /has 1 to 16 queues/);
  });
});

/** What arrives at port 9 of this host. */
async function listener(family: 4 | 6, t: { after(then: () => void): void }): Promise<string[]> {
  const heard: string[] = [];
  const socket = createSocket({ type: family === 4 ? 'udp4' : 'udp6' });
  socket.on('message', (message) => heard.push(message.toString()));
  socket.bind(9);
  t.after(() => socket.close());
  await once(socket, 'listening');
  return heard;
}

/** A datagram of this host's own, sent. */
async function sendFrom(family: 4 | 6, to: string): Promise<void> {
  const socket = createSocket(family === 4 ? 'udp4' : 'udp6');
  await new Promise((resolve) => socket.send('x', 9, to, resolve));
  socket.close();
}
