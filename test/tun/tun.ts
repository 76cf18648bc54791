/**
 * Real traffic of the kernel through a TUN device and the user-space data plane. Needs root and Linux; run it in a network of its own:
 *
 *     unshare -n node --test test/tun/tun.ts
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { EventEmitter, once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { parseEchoReply } from '../../sidecar/dataplane/userspace/icmp.ts';
import { openTun, type Tun } from '../../sidecar/dataplane/userspace/tun.ts';
import { UserspaceDataplane } from '../../sidecar/dataplane/userspace.ts';
import type { Bytes } from '../../sidecar/ike/wire/bytes.ts';
import { address, clientPath, crypto, ends, filled, gatewayPath, ping } from '../sidecar/dataplane/children.ts';

const NAME = 'rekindle-test';
const [client, gateway] = [plane('client'), plane('gateway')];
const replies = new EventEmitter();
const failures: Error[] = [];
let tun: Tun;

before(async () => {
  const { client: near, gateway: far } = ends(0x1000, { inner: ['10.8.0.7', 'fd08::7'] });
  client.order({ order: 'install', child: near });
  gateway.order({ order: 'install', child: far });
  tun = await openTun({
    name: NAME,
    addresses: ['10.8.0.7/32', 'fd08::7/128'],
    routes: ['10.8.0.0/24', '172.31.0.0/16', 'fd08::/64', 'fd31::/64'],
    receive: (inner) => client.transmit(inner),
    failed: (error) => failures.push(error),
  });
});
after(() => tun?.close());

describe('a TUN device', () => {
  it('has its addresses, its routes and its MTU, and is up', () => {
    assert.match(ip('link', 'show', NAME), /<[^>]*\bUP\b[^>]*> mtu 1380/);
    assert.match(ip('address', 'show', NAME), /inet 10\.8\.0\.7\/32/);
    assert.match(ip('address', 'show', NAME), /inet6 fd08::7\/128/);
    assert.match(ip('route', 'show', 'dev', NAME), /172\.31\.0\.0\/16/);
    assert.match(ip('-6', 'route', 'show', 'dev', NAME), /fd31::\/64/);
  });

  for (const [type, remote] of [
    ['udp4', '172.31.5.5'],
    ['udp6', 'fd31::5'],
  ] as const) {
    it(`carries ${type} of the kernel there and back, more than one batch of it`, { timeout: 10_000 }, async (t) => {
      const socket = createSocket(type).bind(0);
      t.after(() => socket.close());
      await once(socket, 'listening');
      const echoed = collect(200);
      socket.on('message', (message) => echoed.add(message.toString()));
      for (let n = 0; n < 200; n++) socket.send(`datagram ${n}`, 4000, remote);
      await echoed.done;
    });
  }

  for (const [from, to] of [
    ['10.8.0.1', '10.8.0.7'],
    ['fd08::1', 'fd08::7'],
  ] as const) {
    it(`carries a ping of the gateway to ${to}, and the answer of the kernel`, { timeout: 10_000 }, async () => {
      const answer = once(replies, 'reply');
      gateway.transmit(ping(from, to, 77));
      const [{ source, sequence }] = await answer;
      assert.deepEqual([source, sequence], [address(to), 77]);
    });
  }

  it('refuses what is no IP packet and lives on', () => {
    assert.equal(tun.write(Uint8Array.of(0, 1, 2)), false);
  });

  it('cannot be created twice under one name', async () => {
    const again = openTun({ name: NAME, addresses: [], routes: [], receive: () => {}, failed: () => {} });
    await assert.rejects(again, /cannot create the interface rekindle-test: another program uses an interface of this name/);
  });

  it('goes away when an address is refused, and the error names the command', async () => {
    const refused = openTun({
      name: 'rekindle-bad',
      addresses: ['10.8.0.300/32'],
      routes: [],
      receive: () => {},
      failed: () => {},
    });
    await assert.rejects(refused, /ip address replace 10\.8\.0\.300\/32 dev rekindle-bad: /);
    assert.throws(() => ip('link', 'show', 'rekindle-bad'));
  });

  it('is gone after close', async () => {
    await tun.close();
    await tun.close();
    assert.equal(tun.write(new Uint8Array(20).fill(0x45)), false);
    assert.throws(() => ip('link', 'show', NAME));
    assert.deepEqual(failures, []);
  });
});

describe('a TUN device that somebody removes', () => {
  it('says so, once', { timeout: 10_000 }, async () => {
    const failed = Promise.withResolvers<Error>();
    const removed = await openTun({
      name: 'rekindle-gone',
      addresses: [],
      routes: [],
      receive: () => {},
      failed: failed.resolve,
    });
    ip('link', 'delete', 'rekindle-gone');
    assert.match((await failed.promise).message, /interface rekindle-gone: reading failed with \w+; was it removed/);
    await removed.close();
  });
});

/** Two data planes back to back. */
function plane(side: 'client' | 'gateway'): UserspaceDataplane {
  return new UserspaceDataplane({
    crypto,
    random: (length) => filled(length, 1),
    send: (packet) => void (side === 'client' ? gateway.receive(packet, gatewayPath) : client.receive(packet, clientPath)),
    deliver: (inner) => void (side === 'client' ? tun.write(inner) : atGateway(inner)),
    ownAddresses: [address('10.8.0.1')],
    lifetimeBytes: 0,
    forward: side === 'gateway',
  });
}

/** What is not the answer to a ping goes back to where it came from. */
function atGateway(inner: Bytes): void {
  const reply = parseEchoReply(inner);
  if (reply) replies.emit('reply', reply);
  else gateway.transmit(turned(inner));
}

/** Source and destination exchanged, addresses and ports: no checksum changes. */
function turned(inner: Bytes): Bytes {
  const [at, length, ports] = inner[0] === 0x45 ? [12, 4, 20] : [8, 16, 40];
  const bytes = Uint8Array.from(inner);
  bytes.set(inner.subarray(at + length, at + 2 * length), at);
  bytes.set(inner.subarray(at, at + length), at + length);
  bytes.set(inner.subarray(ports + 2, ports + 4), ports);
  bytes.set(inner.subarray(ports, ports + 2), ports + 2);
  return bytes;
}

function collect(count: number) {
  const seen = new Set<string>();
  const { promise, resolve } = Promise.withResolvers<void>();
  const add = (message: string): void => {
    seen.add(message);
    if (seen.size === count) resolve();
  };
  return { add, done: promise };
}

const ip = (...args: readonly string[]): string => execFileSync('ip', args, { encoding: 'utf8', stdio: 'pipe' });
