import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import type { DropReason, Path } from '../../../sidecar/dataplane/dataplane.ts';
import { sequenceOf, spiOf } from '../../../sidecar/dataplane/userspace/esp.ts';
import { parseEchoReply } from '../../../sidecar/dataplane/userspace/icmp.ts';
import type { UserspaceOptions } from '../../../sidecar/dataplane/userspace.ts';
import { type Bytes, concat, u32Bytes } from '../../../sidecar/ike/wire/bytes.ts';
import { address, anywhere, clientPath, crypto, ends, filled, gatewayPath, parsed, ping, selector } from './children.ts';
import { type PlaneUnderTest, planeKinds } from './in-place-dataplane.ts';

for (const kind of planeKinds) {
  describe(`user-space ESP ${kind.name}`, () => {
    /** A data plane whose packets are caught. */
    class Station {
      readonly sent: { packet: Bytes; path: Path }[] = [];
      readonly delivered: Bytes[] = [];
      readonly dataplane: PlaneUnderTest;

      constructor(options: Partial<UserspaceOptions> = {}) {
        this.dataplane = kind.create({
          crypto,
          random: (length) => filled(length, 1),
          send: (packet, path) => this.sent.push({ packet, path }),
          deliver: (inner) => this.delivered.push(inner),
          ownAddresses: [],
          lifetimeBytes: 0,
          forward: false,
          ...options,
        });
      }

      /** The one packet sent since last time. */
      takeSent(): Bytes {
        assert.equal(this.sent.length, 1);
        return this.sent.pop()?.packet ?? assert.fail();
      }

      /** What it sends for an inner packet. */
      sealed(inner: Bytes): Bytes {
        assert.equal(this.dataplane.transmit(inner), undefined);
        return this.takeSent();
      }
    }

    const noRandom = (): never => assert.fail('the IV of an AEAD is not random');
    const a = ends(0x1000, { inner: ['10.8.0.7', 'fd08::7'] });
    const b = ends(0x2000, { inner: ['10.8.0.8', 'fd08::8'] });
    const own = ['10.8.0.1', 'fd08::1'];
    let gateway: Station;
    let clientA: Station;
    let clientB: Station;

    beforeEach(() => {
      kind.forget();
      gateway = new Station({ forward: true, ownAddresses: own.map(address) });
      for (const child of [a.gateway, b.gateway]) gateway.dataplane.order({ order: 'install', child });
      [clientA, clientB] = [new Station(), new Station()];
      clientA.dataplane.order({ order: 'install', child: a.client });
      clientB.dataplane.order({ order: 'install', child: b.client });
    });

    /** Reports, but for how far each child has come. */
    const news = (plane: PlaneUnderTest) => plane.reports().filter(({ report }) => report !== 'carried');

    describe('the gateway itself', () => {
      it('answers a ping to its inner address, on IPv4 and IPv6', () => {
        for (const [from, to] of [
          ['10.8.0.7', '10.8.0.1'],
          ['fd08::7', 'fd08::1'],
        ] as const) {
          assert.equal(gateway.dataplane.receive(clientA.sealed(ping(from, to, 5)), gatewayPath), undefined);
          assert.equal(clientA.dataplane.receive(gateway.takeSent(), clientPath), undefined);
          assert.equal(parseEchoReply(clientA.delivered.pop() ?? assert.fail())?.sequence, 5);
        }
      });

      it('hands on what else is for its address', () => {
        const reply = ping('10.8.0.7', '10.8.0.1');
        reply[20] = 3;
        gateway.dataplane.receive(clientA.sealed(reply), gatewayPath);
        assert.deepEqual(gateway.delivered, [reply]);
      });

      it('answers at the addresses of the latest settings', () => {
        gateway.dataplane.configure({ ownAddresses: [address('10.8.0.2')], lifetimeBytes: 0 });
        gateway.dataplane.receive(clientA.sealed(ping('10.8.0.7', '10.8.0.2')), gatewayPath);
        gateway.takeSent();
        gateway.dataplane.receive(clientA.sealed(ping('10.8.0.7', '10.8.0.1')), gatewayPath);
        assert.equal(gateway.sent.length, 0);
      });
    });

    describe('the data plane of a gateway', () => {
      it('delivers what is for the network behind it, and sends back what comes from there', () => {
        const out = ping('10.8.0.7', '172.16.0.1');
        gateway.dataplane.receive(clientA.sealed(out), gatewayPath);
        assert.deepEqual(gateway.delivered, [out]);
        const back = ping('172.16.0.1', '10.8.0.7');
        clientA.dataplane.receive(gateway.sealed(back), clientPath);
        assert.deepEqual(clientA.delivered, [back]);
      });

      it('sends packets from one client straight to another, one hop older', () => {
        gateway.dataplane.receive(clientA.sealed(ping('10.8.0.7', '10.8.0.8')), gatewayPath);
        const packet = gateway.takeSent();
        assert.equal(spiOf(packet), b.gateway.spiOut);
        clientB.dataplane.receive(packet, clientPath);
        assert.deepEqual(parsed(clientB.delivered[0] ?? assert.fail()).source, address('10.8.0.7'));
        assert.equal(clientB.delivered[0]?.[8], 63);
        assert.deepEqual(gateway.delivered, []);
      });

      it('keeps peers apart when it is told to, and lets each reach what lies behind', () => {
        gateway.dataplane.configure({ ownAddresses: own.map(address), lifetimeBytes: 0, isolatePeers: true });
        assert.equal(gateway.dataplane.receive(clientA.sealed(ping('10.8.0.7', '10.8.0.8')), gatewayPath), 'isolated');
        assert.deepEqual([gateway.sent, gateway.delivered], [[], []]);
        assert.equal(gateway.dataplane.receive(clientA.sealed(ping('10.8.0.7', '172.16.0.1')), gatewayPath), undefined);
        assert.equal(gateway.delivered.length, 1);
      });

      it('lets what circles between peers die out', () => {
        const old = ping('10.8.0.7', '10.8.0.8');
        old[8] = 1;
        assert.equal(gateway.dataplane.receive(clientA.sealed(old), gatewayPath), 'hop-limit');
      });

      it('drops a packet whose source is not the client it came from (RFC 4301 §5.2)', () => {
        const spoof = new Station();
        spoof.dataplane.order({ order: 'install', child: { ...a.client, local: anywhere } });
        for (const source of ['10.8.0.8', '10.8.0.1', '10.8.0.6', '172.16.0.1', 'fd08::8', 'a08:7::']) {
          const inner = ping(source, source.includes(':') ? 'fd08::1' : '10.8.0.1');
          assert.equal(gateway.dataplane.receive(spoof.sealed(inner), gatewayPath), 'selector');
        }
        assert.deepEqual([gateway.sent, gateway.delivered], [[], []]);
      });

      it('drops a packet to a destination that was not negotiated', () => {
        const narrow = { ...a.gateway, local: [selector('10.0.0.0', '10.255.255.255')] };
        gateway.dataplane.order({ order: 'remove', spiIn: narrow.spiIn });
        gateway.dataplane.order({ order: 'install', child: narrow });
        assert.equal(gateway.dataplane.receive(clientA.sealed(ping('10.8.0.7', '172.16.0.1')), gatewayPath), 'selector');
        assert.equal(gateway.dataplane.transmit(ping('172.16.0.1', '10.8.0.7')), 'no-child');
      });

      it('drops a packet of a protocol or port that was not negotiated', () => {
        for (const rest of [{ protocol: 6 }, { protocol: 1, startPort: 0, endPort: 0x07ff }]) {
          const narrow = { ...a.gateway, remote: [selector('10.8.0.7', '10.8.0.7', rest)] };
          gateway.dataplane.order({ order: 'remove', spiIn: narrow.spiIn });
          gateway.dataplane.order({ order: 'install', child: narrow });
          assert.equal(gateway.dataplane.receive(clientA.sealed(ping('10.8.0.7', '10.8.0.1')), gatewayPath), 'selector');
        }
      });

      it('knows no child of a destination that nobody has', () => {
        assert.equal(gateway.dataplane.transmit(ping('172.16.0.1', '10.8.0.99')), 'no-child');
        assert.equal(gateway.dataplane.transmit(new Uint8Array(19)), 'malformed');
      });

      it('says so when nobody takes a packet', () => {
        const settings = { crypto, random: noRandom, send: () => {}, ownAddresses: [], lifetimeBytes: 0, forward: true };
        const deaf = kind.create(settings);
        deaf.order({ order: 'install', child: a.gateway });
        assert.equal(deaf.receive(clientA.sealed(ping('10.8.0.7', '172.16.0.1')), gatewayPath), 'undeliverable');
      });
    });

    describe('what arrives', () => {
      it('is dropped when it came before', () => {
        const packet = clientA.sealed(ping('10.8.0.7', '172.16.0.1'));
        assert.equal(gateway.dataplane.receive(packet, gatewayPath), undefined);
        assert.equal(gateway.dataplane.receive(packet, gatewayPath), 'replay');
        assert.equal(gateway.delivered.length, 1);
      });

      it('is dropped with a reason and without an exception, whatever it is', () => {
        const spi = fc.constantFrom(a.gateway.spiIn, 0, 99, 0xffff_ffff);
        const packets = fc.tuple(spi, fc.uint8Array({ maxLength: 100 })).map(([value, rest]) => concat(u32Bytes(value), rest));
        const reasons = new Set<DropReason>(['malformed', 'unknown-spi', 'authentication', 'replay']);
        fc.assert(
          fc.property(fc.oneof(packets, fc.uint8Array({ maxLength: 12 })), (packet) => {
            const dropped = gateway.dataplane.receive(packet, gatewayPath);
            assert.ok(dropped && reasons.has(dropped), String(dropped));
          }),
          { numRuns: 300 },
        );
      });

      it('may be authentic and hold anything: it is dropped, or is a packet that the child may carry', () => {
        const { encr } = a.client.keyOut;
        const cipher = crypto.encryption(a.client.suite.encr, a.client.suite.keyBits) ?? assert.fail();
        const start = fc.constantFrom(Uint8Array.of(0x45), Uint8Array.of(0x60, 0, 0, 0, 0), new Uint8Array());
        const end = fc
          .tuple(fc.constantFrom(0, 1, 255), fc.constantFrom(4, 41, 59, 6))
          .map((trailer) => Uint8Array.from(trailer));
        let sequence = 0;
        fc.assert(
          fc.property(start, fc.uint8Array({ maxLength: 80 }), end, (first, middle, last) => {
            const header = concat(u32Bytes(a.client.spiOut), u32Bytes(++sequence));
            const aad = concat(u32Bytes(a.client.spiOut), u32Bytes(0), u32Bytes(sequence));
            const iv = concat(u32Bytes(0), u32Bytes(sequence));
            const dropped = gateway.dataplane.receive(
              concat(header, iv, cipher.seal(encr, iv, concat(first, middle, last), aad)),
              gatewayPath,
            );
            assert.ok(dropped === 'malformed' || dropped === 'selector' || dropped === 'dummy', String(dropped));
          }),
          { numRuns: 300 },
        );
        assert.deepEqual(gateway.delivered, []);
      });

      it('is handed on without its traffic flow confidentiality padding', () => {
        const inner = ping('10.8.0.7', '172.16.0.1');
        gateway.dataplane.receive(handmade(concat(inner, new Uint8Array(300)), 4), gatewayPath);
        assert.deepEqual(gateway.delivered, [inner]);
      });

      it('is discarded when it is a dummy (RFC 4303 §2.6), and proves the peer alive', () => {
        assert.equal(gateway.dataplane.receive(handmade(filled(64, 1), 59), gatewayPath), 'dummy');
        assert.deepEqual(news(gateway.dataplane), [{ report: 'alive', spiIn: a.gateway.spiIn }]);
      });

      it('is malformed when the next header names the other version of IP, or no IP at all', () => {
        const inner = ping('10.8.0.7', '172.16.0.1');
        const packets = [4, 41, 6].map((nextHeader, at) => handmade(inner, nextHeader, at + 1));
        assert.deepEqual(
          packets.map((packet) => gateway.dataplane.receive(packet, gatewayPath)),
          [undefined, 'malformed', 'malformed'],
        );
      });

      /** From client A, sealed by hand. */
      function handmade(payload: Bytes, nextHeader: number, sequence = 1): Bytes {
        const cipher = crypto.encryption(a.client.suite.encr, a.client.suite.keyBits) ?? assert.fail();
        const [spi, low, iv] = [u32Bytes(a.client.spiOut), u32Bytes(sequence), concat(u32Bytes(0), u32Bytes(sequence))];
        const plaintext = concat(payload, Uint8Array.of(0, nextHeader));
        return concat(spi, low, iv, cipher.seal(a.client.keyOut.encr, iv, plaintext, concat(spi, u32Bytes(0), low)));
      }
    });

    describe('a rekeyed child', () => {
      const next = ends(0x3000, { inner: ['10.8.0.7', 'fd08::7'] });
      const down = ping('172.16.0.1', '10.8.0.7');

      it('carries what leaves as soon as it is installed, while the old one still takes what arrives', () => {
        const inFlight = clientA.sealed(ping('10.8.0.7', '172.16.0.1'));
        gateway.dataplane.order({ order: 'install', child: next.gateway });
        assert.equal(spiOf(gateway.sealed(down)), next.gateway.spiOut);
        assert.equal(gateway.dataplane.receive(inFlight, gatewayPath), undefined);
        gateway.dataplane.order({ order: 'remove', spiIn: a.gateway.spiIn });
        assert.equal(gateway.dataplane.receive(inFlight, gatewayPath), 'unknown-spi');
        assert.equal(spiOf(gateway.sealed(down)), next.gateway.spiOut);
      });

      it('that is removed again leaves the traffic to the old one', () => {
        gateway.dataplane.order({ order: 'install', child: next.gateway });
        gateway.dataplane.order({ order: 'remove', spiIn: next.gateway.spiIn });
        assert.equal(spiOf(gateway.sealed(down)), a.gateway.spiOut);
      });
    });

    describe('a rekeyed child that sends after the old one (RFC 7296 §2.8)', () => {
      const next = ends(0x3000, { inner: ['10.8.0.7', 'fd08::7'] });
      const down = ping('172.16.0.1', '10.8.0.7');
      const sender = () => spiOf(gateway.sealed(down));

      beforeEach(() => gateway.dataplane.order({ order: 'install', child: next.gateway, sendsAfter: a.gateway.spiIn }));

      it('sends when the old one is removed', () => {
        assert.equal(sender(), a.gateway.spiOut);
        gateway.dataplane.order({ order: 'remove', spiIn: a.gateway.spiIn });
        assert.equal(sender(), next.gateway.spiOut);
      });

      it('sends when the peer has used it, and not for what anybody else sends', () => {
        gateway.dataplane.receive(concat(u32Bytes(next.gateway.spiIn), u32Bytes(1), filled(60, 1)), gatewayPath);
        assert.equal(sender(), a.gateway.spiOut);
        const successor = new Station();
        successor.dataplane.order({ order: 'install', child: next.client });
        assert.equal(gateway.dataplane.receive(successor.sealed(ping('10.8.0.7', '172.16.0.1')), gatewayPath), undefined);
        assert.equal(sender(), next.gateway.spiOut);
      });

      it('goes on sending when it is ordered once more', () => {
        gateway.dataplane.order({ order: 'remove', spiIn: a.gateway.spiIn });
        gateway.dataplane.order({ order: 'install', child: a.gateway });
        gateway.dataplane.order({ order: 'install', child: next.gateway, sendsAfter: a.gateway.spiIn });
        assert.equal(sender(), next.gateway.spiOut);
      });

      it('sends at once when there is no old one', () => {
        gateway.dataplane.order({ order: 'remove', spiIn: next.gateway.spiIn });
        gateway.dataplane.order({ order: 'install', child: next.gateway, sendsAfter: 0x9999 });
        assert.equal(sender(), next.gateway.spiOut);
      });
    });

    describe('an order', () => {
      it('to install a child that is there goes on with its sequence numbers, since no IV may come twice', () => {
        const down = ping('172.16.0.1', '10.8.0.7');
        const first = gateway.sealed(down);
        gateway.dataplane.order({ order: 'install', child: { ...a.gateway, path: clientPath } });
        assert.equal(sequenceOf(gateway.sealed(down)), sequenceOf(first) + 1);
        gateway.dataplane.transmit(down);
        assert.deepEqual(gateway.sent.pop()?.path, clientPath);
      });

      it('to install other keys under the same SPI starts anew', () => {
        const other = ends(0x1000, { inner: ['10.8.0.7'] }).gateway;
        gateway.sealed(ping('172.16.0.1', '10.8.0.7'));
        const keys = { encr: filled(36, 200), integ: new Uint8Array() };
        gateway.dataplane.order({ order: 'install', child: { ...other, keyOut: keys } });
        assert.equal(sequenceOf(gateway.sealed(ping('172.16.0.1', '10.8.0.7'))), 1);
        assert.equal(gateway.dataplane.stats().totals.packetsOut, 2);
      });

      it('to move a child sends its packets elsewhere', () => {
        const path = { local: '192.0.2.1:4500', remote: '203.0.113.9:61000' };
        gateway.dataplane.order({ order: 'move', spiIn: a.gateway.spiIn, path, encapsulated: true });
        gateway.dataplane.transmit(ping('172.16.0.1', '10.8.0.7'));
        assert.deepEqual(gateway.sent.pop()?.path, path);
      });

      it('about a child that is not there changes nothing', () => {
        gateway.dataplane.order({ order: 'remove', spiIn: 0x9999 });
        gateway.dataplane.order({ order: 'move', spiIn: 0x9999, path: clientPath, encapsulated: true });
        assert.equal(gateway.dataplane.stats().children.length, 2);
      });

      it('that names an unknown algorithm fails, and leaves what is there', () => {
        const child = { ...a.gateway, suite: { ...a.gateway.suite, encr: 3 } };
        assert.throws(
          () =>
            gateway.dataplane.order({ order: 'install', child: { ...child, keyOut: { ...child.keyOut, encr: filled(36, 9) } } }),
          /no encryption algorithm 3/,
        );
        gateway.sealed(ping('172.16.0.1', '10.8.0.7'));
      });
    });

    describe('reports', () => {
      it('tell how far a child has come, so that another pod goes on beyond it and takes nothing twice', () => {
        const { spiIn } = a.gateway;
        const seen = clientA.sealed(ping('10.8.0.7', '172.16.0.1'));
        gateway.dataplane.receive(seen, gatewayPath);
        gateway.sealed(ping('172.16.0.1', '10.8.0.7'));
        assert.deepEqual(gateway.dataplane.reports()[0], { report: 'carried', spiIn, sent: 1, received: 1 });
        gateway.dataplane.order({ order: 'remove', spiIn });
        gateway.dataplane.order({ order: 'install', child: { ...a.gateway, sequences: { sent: 1_000, received: 1 } } });
        assert.equal(gateway.dataplane.receive(seen, gatewayPath), 'replay');
        gateway.sealed(ping('172.16.0.1', '10.8.0.7'));
        assert.deepEqual(gateway.dataplane.reports()[0], { report: 'carried', spiIn, sent: 1_001 + 2 ** 20, received: 1 });
      });

      it('tell once that a peer lives', () => {
        gateway.dataplane.receive(clientA.sealed(ping('10.8.0.7', '172.16.0.1')), gatewayPath);
        assert.deepEqual(news(gateway.dataplane), [{ report: 'alive', spiIn: a.gateway.spiIn }]);
        assert.deepEqual(news(gateway.dataplane), []);
      });

      it('tell that a peer moved, until the core has moved the child; the data plane itself does not (RFC 7296 §2.23)', () => {
        const path = { local: '192.0.2.1:4500', remote: '203.0.113.9:61000' };
        const moved = [{ report: 'alive', spiIn: a.gateway.spiIn, path }];
        const up = () => gateway.dataplane.receive(clientA.sealed(ping('10.8.0.7', '172.16.0.1')), path);
        up();
        assert.deepEqual(news(gateway.dataplane), moved);
        up();
        gateway.dataplane.transmit(ping('172.16.0.1', '10.8.0.7'));
        assert.deepEqual(gateway.sent.pop()?.path, gatewayPath);
        assert.deepEqual(news(gateway.dataplane), moved);
        gateway.dataplane.order({ order: 'move', spiIn: a.gateway.spiIn, path, encapsulated: true });
        up();
        assert.deepEqual(news(gateway.dataplane), [{ report: 'alive', spiIn: a.gateway.spiIn }]);
      });

      it('tell that a child nears its byte limit', () => {
        const down = ping('172.16.0.1', '10.8.0.7');
        gateway.dataplane.configure({ ownAddresses: [], lifetimeBytes: down.length });
        gateway.sealed(down);
        assert.equal(gateway.dataplane.transmit(down), 'exhausted');
        assert.deepEqual(news(gateway.dataplane), [{ report: 'expiring', spiIn: a.gateway.spiIn }]);
      });

      it('are silent about a child that was removed', () => {
        gateway.dataplane.receive(clientA.sealed(ping('10.8.0.7', '172.16.0.1')), gatewayPath);
        gateway.dataplane.order({ order: 'remove', spiIn: a.gateway.spiIn });
        assert.deepEqual(news(gateway.dataplane), []);
      });
    });

    describe('statistics', () => {
      it('count packets and bytes of inner packets per child, and keep the totals when a child goes', () => {
        const inner = ping('10.8.0.7', '172.16.0.1');
        gateway.dataplane.receive(clientA.sealed(inner), gatewayPath);
        const traffic = { packetsIn: 1, bytesIn: inner.length, packetsOut: 0, bytesOut: 0 };
        assert.deepEqual(gateway.dataplane.stats().children[0], { spiIn: a.gateway.spiIn, ...traffic });
        gateway.dataplane.order({ order: 'remove', spiIn: a.gateway.spiIn });
        assert.deepEqual(gateway.dataplane.stats().totals, traffic);
        gateway.dataplane.receive(clientB.sealed(ping('10.8.0.8', '172.16.0.1')), gatewayPath);
        gateway.dataplane.close();
        assert.deepEqual(gateway.dataplane.stats().totals, { ...traffic, packetsIn: 2, bytesIn: 2 * inner.length });
        assert.deepEqual(gateway.dataplane.stats().children, []);
      });

      it('count drops by reason, once each', () => {
        const packet = clientA.sealed(ping('10.8.0.7', '172.16.0.1'));
        gateway.dataplane.receive(packet, gatewayPath);
        gateway.dataplane.receive(packet, gatewayPath);
        gateway.dataplane.receive(u32Bytes(1), gatewayPath);
        gateway.dataplane.transmit(ping('172.16.0.1', '10.8.0.99'));
        const { drops } = gateway.dataplane.stats();
        assert.deepEqual(
          Object.entries(drops).filter(([, count]) => count > 0),
          [
            ['malformed', 1],
            ['replay', 1],
            ['no-child', 1],
          ],
        );
      });

      it('count an answer that cannot leave without blaming the request', () => {
        gateway.dataplane.configure({ ownAddresses: own.map(address), lifetimeBytes: 1 });
        assert.equal(gateway.dataplane.receive(clientA.sealed(ping('10.8.0.7', '10.8.0.1')), gatewayPath), undefined);
        assert.equal(gateway.dataplane.stats().drops['exhausted'], 1);
      });
    });

    describe('a client', () => {
      it('does not send on what arrives, even to an address that its child carries', () => {
        const loop = ping('10.8.0.7', '10.8.0.7');
        gateway.dataplane.receive(clientA.sealed(loop), gatewayPath);
        clientA.dataplane.receive(gateway.takeSent(), clientPath);
        assert.equal(clientA.delivered.length, 1);
        assert.equal(clientA.sent.length, 0);
      });
    });
  });
}
