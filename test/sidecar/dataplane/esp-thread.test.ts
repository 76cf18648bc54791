/** ESP in threads of their own, a client's and a gateway's, over loopback; the kernel tells ESP and IKE apart. */
import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readlinkSync } from 'node:fs';
import { afterEach, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import type { ChildSa } from '../../../sidecar/contract/dataplane.ts';
import type { DropReason } from '../../../sidecar/dataplane/dataplane.ts';
import { type EspThread, startEspThread } from '../../../sidecar/dataplane/esp-thread/esp-thread.ts';
import { loadNative } from '../../../sidecar/dataplane/esp-thread/native.ts';
import { spiOf } from '../../../sidecar/dataplane/userspace/esp.ts';
import type { UserspaceSettings } from '../../../sidecar/dataplane/userspace/esp-engine.ts';
import { parseEchoReply } from '../../../sidecar/dataplane/userspace/icmp.ts';
import { type Bytes, concat, u32Bytes } from '../../../sidecar/ike/wire/bytes.ts';
import { formatEndpoint, splitEndpoint } from '../../../sidecar/shell/endpoint.ts';
import { bindUdp, type Udp } from '../../../sidecar/shell/udp.ts';
import { address, ends, filled, ping, suites } from './children.ts';
import { ciphers, EspInPlace } from './esp-in-place.ts';
import { PacketPipe } from './packet-pipe.ts';

const native = await loadNative();
const own = ['10.8.0.1', 'fd08::1'].map(address);
const PATIENCE_MS = 5_000;

/** One end: sockets, thread, and what acts as its TUN device. */
class Station {
  readonly udp: Udp;
  readonly thread: EspThread;
  readonly tun: PacketPipe;
  readonly failures: Error[];

  private constructor(udp: Udp, thread: EspThread, tun: PacketPipe, failures: Error[]) {
    this.udp = udp;
    this.thread = thread;
    this.tun = tun;
    this.failures = failures;
  }

  static async start(host: string, settings: Partial<UserspaceSettings> & { readonly forward: boolean }): Promise<Station> {
    const udp = await bindUdp({ addresses: [host], ikePort: 0, natPort: 0, espApart: true });
    const tun = new PacketPipe();
    const failures: Error[] = [];
    const thread = await startEspThread({
      sockets: udp.espSockets ?? assert.fail('the kernel does not tell ESP from IKE here'),
      tun: [tun.fd],
      settings: { ownAddresses: [], lifetimeBytes: 0, ...settings },
      crypto: 'auto',
      forward: settings.forward,
      active: () => {},
      failed: (error) => failures.push(error),
    });
    return new Station(udp, thread ?? assert.fail(), tun, failures);
  }

  get local(): string {
    return this.udp.locals.find(({ nat }) => nat)?.local ?? assert.fail();
  }

  install(child: ChildSa, remote: string): Promise<unknown> {
    return this.thread.order({ order: 'install', child: { ...child, path: { local: this.local, remote } } });
  }

  /** Until so many were dropped for this reason. */
  async dropped(reason: DropReason, count: number): Promise<void> {
    const dropped = (): number => this.thread.stats().drops[reason] ?? 0;
    await this.until(() => dropped() >= count, `${count} of ${reason}`);
    assert.equal(dropped(), count);
  }

  async until(holds: () => boolean, what: string): Promise<void> {
    for (const deadline = performance.now() + PATIENCE_MS; !holds(); await this.thread.settle())
      if (performance.now() > deadline) assert.fail(`never: ${what}; ${JSON.stringify(this.thread.stats().drops)}`);
  }

  async close(): Promise<void> {
    this.thread.close();
    await this.thread.ended;
    await this.udp.close();
    this.tun.close();
    assert.deepEqual(this.failures, []);
  }
}

for (const host of ['127.0.0.1', '::1']) {
  describe(`ESP in a thread of its own, over ${host}`, { skip: native === undefined && 'no koffi here' }, () => {
    const a = ends(0x1000);
    const b = ends(0x2000, { inner: ['10.8.0.8', 'fd08::8'] });
    let gateway: Station;
    let client: Station;
    /** A peer whose packets are made by hand. */
    let peer: Socket;

    beforeEach(async () => {
      gateway = await Station.start(host, { forward: true, ownAddresses: own });
      client = await Station.start(host, { forward: false });
      await gateway.install(a.gateway, client.local);
      await client.install(a.client, gateway.local);
      peer = createSocket(host === '::1' ? 'udp6' : 'udp4').bind(0, host);
      await once(peer, 'listening');
    });
    afterEach(async () => {
      peer.close();
      await Promise.all([gateway.close(), client.close()]);
    });

    const peerAt = (): string => formatEndpoint(host, peer.address().port);
    const fromPeer = (bytes: Bytes, to = gateway): Promise<unknown> =>
      new Promise((resolve) => peer.send(bytes, splitEndpoint(to.local).port, host, resolve));
    /** Seals as the client end of a child. */
    const sealing = (child: ChildSa) => {
      const esp = new EspInPlace(ciphers, child.suite, child.keyOut);
      let sequence = 0;
      return (inner: Bytes, nextHeader = 4): Bytes => esp.seal(child.spiOut, ++sequence, inner, nextHeader);
    };

    it('carries packets there and back, on IPv4 and IPv6', async () => {
      for (const [inside, behind] of [
        ['10.8.0.7', '172.16.0.1'],
        ['fd08::7', 'fd31::1'],
      ] as const) {
        const [up, down] = [ping(inside, behind), ping(behind, inside)];
        client.tun.write(up);
        assert.deepEqual(await gateway.tun.next(), up);
        gateway.tun.write(down);
        assert.deepEqual(await client.tun.next(), down);
      }
    });

    it('carries more packets than one batch, of all lengths, none changed and in order', async () => {
      const lengths = [
        ...Array.from({ length: 150 }, () => 1400),
        ...Array.from({ length: 200 }, (_, at) => 28 + at * 7),
        40,
        9000,
        40,
      ];
      const packets = lengths.map((length, at) => sized(ping('10.8.0.7', '172.16.0.1', at + 1), length));
      for (const packet of packets) {
        client.tun.write(packet);
        assert.deepEqual(await gateway.tun.next(), packet);
      }
      // No more than the pipe holds: what it does not take is lost, as with a device.
      for (let from = 0; from < packets.length; from += 60) {
        const burst = packets.slice(from, from + 60);
        for (const packet of burst) client.tun.write(packet);
        for (const packet of burst) assert.deepEqual(await gateway.tun.next(), packet);
      }
    });

    it('leaves IKE and keepalives to the other socket', async () => {
      const got: string[] = [];
      gateway.udp.receive({ onIke: (bytes) => got.push(`ike ${bytes}`), onEsp: (bytes) => got.push(`esp ${bytes}`) });
      await fromPeer(Uint8Array.of(0xff));
      await fromPeer(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
      await fromPeer(Uint8Array.of(0, 0, 0, 0, 9));
      await gateway.until(() => got.length > 0, 'IKE arrives');
      assert.deepEqual(got, ['ike 9']);
      await gateway.dropped('unknown-spi', 1);
    });

    it('answers from the NAT port, and takes every suite', async () => {
      for (const [index, suite] of suites.entries()) {
        const { client: near, gateway: far } = ends(0x10_0000 + index * 0x1000, { suite });
        await gateway.install(far, peerAt());
        const answer = once(peer, 'message');
        await fromPeer(sealing(near)(ping('10.8.0.7', '10.8.0.1', 5)));
        const [message, { port }] = await answer;
        assert.equal(formatEndpoint(host, port), gateway.local);
        const packet = Uint8Array.from(message);
        assert.equal(spiOf(packet), far.spiOut);
        const opened = new EspInPlace(ciphers, suite, near.keyIn).open(packet, 1);
        assert.ok(typeof opened === 'object');
        assert.equal(parseEchoReply(opened.payload)?.sequence, 5);
        await gateway.thread.order({ order: 'remove', spiIn: far.spiIn });
      }
    });

    it('sends packets from one client straight to another, or keeps them apart', async () => {
      await gateway.install(b.gateway, peerAt());
      const arrived = once(peer, 'message');
      client.tun.write(ping('10.8.0.7', '10.8.0.8'));
      assert.equal(spiOf(Uint8Array.from((await arrived)[0])), b.gateway.spiOut);
      gateway.thread.configure({ ownAddresses: own, lifetimeBytes: 0, isolatePeers: true });
      await gateway.thread.settle();
      client.tun.write(ping('10.8.0.7', '10.8.0.8'));
      await gateway.dropped('isolated', 1);
    });

    it('drops replays, forgeries, what is spoofed and what is none, and lives on', async () => {
      const seal = sealing(a.client);
      const good = seal(ping('10.8.0.7', '172.16.0.1'));
      await fromPeer(good);
      await gateway.tun.next();
      await fromPeer(good);
      await gateway.dropped('replay', 1);
      await fromPeer(Uint8Array.from(seal(ping('10.8.0.7', '172.16.0.1')), (byte, at) => (at === 30 ? byte ^ 1 : byte)));
      await gateway.dropped('authentication', 1);
      await fromPeer(seal(ping('10.8.0.9', '172.16.0.1')));
      await gateway.dropped('selector', 1);
      await fromPeer(seal(filled(64, 1)));
      await fromPeer(u32Bytes(a.gateway.spiIn));
      await gateway.dropped('malformed', 2);
      await fromPeer(seal(filled(64, 1), 59));
      await gateway.dropped('dummy', 1);
      gateway.tun.write(filled(30, 1));
      await gateway.dropped('malformed', 3);
      gateway.tun.write(ping('172.16.0.1', '10.8.0.99'));
      await gateway.dropped('no-child', 1);
      await fromPeer(seal(ping('10.8.0.7', '172.16.0.1', 9)));
      assert.deepEqual(await gateway.tun.next(), ping('10.8.0.7', '172.16.0.1', 9));
    });

    it('lives through whatever is sent to it, and delivers none of it', async () => {
      const spi = fc.constantFrom(a.gateway.spiIn, 99, 0xffff_ffff).map(u32Bytes);
      const honest = sealing(a.client)(ping('10.8.0.7', '172.16.0.1'));
      const bent = fc.tuple(fc.nat(honest.length - 1), fc.integer({ min: 1, max: 255 })).map(([at, by]) => {
        const packet = Uint8Array.from(honest);
        packet[at] = (packet[at] ?? 0) ^ by;
        return packet;
      });
      const hostile = fc.oneof(
        fc.tuple(spi, fc.uint8Array({ maxLength: 100 })).map(([start, rest]) => concat(start, rest)),
        fc.uint8Array({ maxLength: 12 }),
        bent,
        bent.map((packet) => packet.subarray(0, packet.length / 2)),
      );
      for (const packet of fc.sample(hostile, { numRuns: 300, seed: 7 })) await fromPeer(packet);
      await fromPeer(honest);
      assert.deepEqual(await gateway.tun.next(), ping('10.8.0.7', '172.16.0.1'));
      assert.equal(gateway.tun.take(), undefined);
    });

    it('reports once that a peer lives and where it has moved to, and sends there when told', async () => {
      const { spiIn } = a.gateway;
      const path = { local: gateway.local, remote: peerAt() };
      await fromPeer(sealing(a.client)(ping('10.8.0.7', '172.16.0.1')));
      await gateway.tun.next();
      await gateway.thread.settle();
      assert.deepEqual(gateway.thread.reports(), [
        { report: 'carried', spiIn, sent: 0, received: 1 },
        { report: 'alive', spiIn, path },
      ]);
      await gateway.thread.settle();
      assert.deepEqual(gateway.thread.reports(), []);
      await gateway.thread.order({ order: 'move', spiIn, path, encapsulated: true });
      const arrived = once(peer, 'message');
      gateway.tun.write(ping('172.16.0.1', '10.8.0.7'));
      assert.equal(spiOf(Uint8Array.from((await arrived)[0])), a.gateway.spiOut);
    });

    it('counts what it carries, and keeps the totals when a child goes', async () => {
      const inner = ping('10.8.0.7', '172.16.0.1');
      client.tun.write(inner);
      await gateway.tun.next();
      await gateway.thread.settle();
      const traffic = { packetsIn: 1, bytesIn: inner.length, packetsOut: 0, bytesOut: 0 };
      assert.deepEqual(gateway.thread.traffic(a.gateway.spiIn), { spiIn: a.gateway.spiIn, ...traffic });
      client.tun.write(inner);
      await gateway.tun.next();
      const last = await gateway.thread.order({ order: 'remove', spiIn: a.gateway.spiIn });
      const twice = { packetsIn: 2, bytesIn: 2 * inner.length, packetsOut: 0, bytesOut: 0 };
      assert.deepEqual(last, { spiIn: a.gateway.spiIn, ...twice });
      assert.deepEqual(gateway.thread.stats().totals, twice);
      assert.deepEqual(gateway.thread.stats().children, []);
    });

    it('refuses an algorithm that was never negotiable, and keeps what is there', async () => {
      const other = { ...a.gateway, spiIn: 0x9999, suite: { ...a.gateway.suite, encr: 3 } };
      await assert.rejects(gateway.install(other, client.local), /no encryption algorithm 3/);
      client.tun.write(ping('10.8.0.7', '172.16.0.1'));
      await gateway.tun.next();
    });

    it('wakes from its wait for an order, a thousand of them together', async () => {
      const many = Array.from(
        { length: 1000 },
        (_, at) => ends(0x10_0000 + 16 * at, { inner: [`10.9.${at >> 8}.${at & 255}`] }).gateway,
      );
      await Promise.all(many.map((child) => gateway.install(child, client.local)));
      assert.equal(gateway.thread.stats().children.length, 1001);
      await Promise.all(many.map(({ spiIn }) => gateway.thread.order({ order: 'remove', spiIn })));
      assert.equal(gateway.thread.stats().children.length, 1);
    });
  });
}

describe('a thread that dies', { skip: native === undefined && 'no koffi here' }, () => {
  it('says why, loses its children, and another begins in its place', async () => {
    const { gateway } = ends(0x1000);
    const failed = Promise.withResolvers<Error>();
    const udp = await bindUdp({ addresses: ['127.0.0.1'], ikePort: 0, natPort: 0, espApart: true });
    const [socket] = udp.espSockets ?? assert.fail();
    // Something that is no socket, until it is one.
    const pipe = new PacketPipe();
    const fd = openSync('/dev/null', 'r');
    const thread = await startEspThread({
      ...{ sockets: [{ fd, local: socket?.local ?? '' }], tun: [pipe.fd], crypto: 'auto', forward: true, active: () => {} },
      ...{ settings: { ownAddresses: [], lifetimeBytes: 0 }, failed: failed.resolve },
    });
    assert.ok(thread);
    await thread.order({ order: 'install', child: gateway });
    assert.match((await failed.promise).message, /the socket for ESP at 127\.0\.0\.1:\d+: ENOTSOCK; was it closed\?/);
    native?.func('int dup2(int from, int to)')(socket?.fd ?? -1, fd);
    await thread.settle();
    assert.deepEqual(thread.reports(), [{ report: 'lost', spiIn: gateway.spiIn }]);
    assert.deepEqual(thread.stats().children, []);
    // While none lives, nothing is promised.
    await thread.order({ order: 'install', child: gateway });
    assert.deepEqual(thread.reports(), [{ report: 'lost', spiIn: gateway.spiIn }]);
    for (const deadline = performance.now() + PATIENCE_MS; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
      await thread.order({ order: 'install', child: gateway });
      if (thread.reports().length === 0) break;
      assert.ok(performance.now() < deadline, 'no other thread begins');
    }
    assert.equal(thread.stats().children.length, 1);
    thread.close();
    await thread.ended;
    await udp.close();
    closeSync(fd);
    pipe.close();
  });
});

describe('a thread that cannot begin', { skip: native === undefined && 'no koffi here' }, () => {
  it('is not tried again behind the back of whoever asked for it, and leaves no descriptor', async () => {
    const begin = () =>
      startEspThread({
        ...{ sockets: [], tun: [], forward: true, active: () => {}, failed: () => {} },
        ...{ settings: { ownAddresses: [], lifetimeBytes: 0 }, crypto: 'none that there is' as 'auto' },
      });
    const eventfds = (): number =>
      readdirSync('/proc/self/fd').filter((fd) => {
        try {
          return readlinkSync(`/proc/self/fd/${fd}`).includes('eventfd');
        } catch {
          return false;
        }
      }).length;
    await assert.rejects(begin(), /could not begin/);
    const before = eventfds();
    await assert.rejects(begin(), /could not begin/);
    assert.equal(eventfds(), before);
  });
});

/** An IP packet of this length: its payload grows or shrinks. */
function sized(packet: Bytes, length: number): Bytes {
  const bytes = new Uint8Array(length);
  bytes.set(packet.subarray(0, length));
  new DataView(bytes.buffer).setUint16(2, length);
  return bytes;
}
