import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseInnerPacket } from '../../../sidecar/dataplane/userspace/inner-packet.ts';
import { type Bytes, concat, unhex } from '../../../sidecar/ike/wire/bytes.ts';
import { address, parsed, ping } from './children.ts';

const UDP = 17;
const ports = unhex('14e91194');

function ipv4(protocol: number, body: Bytes, { fragmentation = 0, options = new Uint8Array() } = {}): Bytes {
  const header = new Uint8Array(20);
  const view = new DataView(header.buffer);
  view.setUint8(0, 0x45 + options.length / 4);
  view.setUint16(2, 20 + options.length + body.length);
  view.setUint16(6, fragmentation);
  view.setUint8(9, protocol);
  header.set(address('10.8.0.7'), 12);
  header.set(address('10.8.0.1'), 16);
  return concat(header, options, body);
}

function ipv6(next: number, body: Bytes): Bytes {
  const header = new Uint8Array(40);
  const view = new DataView(header.buffer);
  view.setUint8(0, 0x60);
  view.setUint16(4, body.length);
  view.setUint8(6, next);
  header.set(address('fd08::7'), 8);
  header.set(address('fd08::1'), 24);
  return concat(header, body);
}

describe('an inner packet', () => {
  it('shows addresses, protocol and ports of IPv4, behind options too', () => {
    for (const options of [new Uint8Array(), new Uint8Array(8)]) {
      const packet = parsed(ipv4(UDP, concat(ports, new Uint8Array(4)), { options }));
      assert.deepEqual([packet.source, packet.destination], [address('10.8.0.7'), address('10.8.0.1')]);
      assert.deepEqual([packet.protocol, packet.sourcePort, packet.destinationPort], [UDP, 5353, 4500]);
      assert.equal(packet.headerLength, 20 + options.length);
    }
  });

  it('shows addresses, protocol and ports of IPv6, behind extension headers too', () => {
    const hopByHop = (next: number) => Uint8Array.of(next, 0, 1, 4, 0, 0, 0, 0);
    const options = (next: number) => Uint8Array.of(next, 1, ...new Uint8Array(14));
    const authentication = (next: number) => Uint8Array.of(next, 2, ...new Uint8Array(14));
    const chain = concat(hopByHop(60), options(51), authentication(UDP), ports);
    for (const bytes of [ipv6(UDP, ports), ipv6(0, chain)]) {
      const packet = parsed(bytes);
      assert.deepEqual([packet.source, packet.destination], [address('fd08::7'), address('fd08::1')]);
      assert.deepEqual([packet.protocol, packet.sourcePort, packet.destinationPort], [UDP, 5353, 4500]);
      assert.equal(packet.headerLength, bytes.length - 4);
    }
  });

  it('shows type and code of ICMP in place of both ports (RFC 4301 §4.4.1.1)', () => {
    for (const [bytes, type] of [
      [ping('10.8.0.7', '10.8.0.1'), 8],
      [ping('fd08::7', 'fd08::1'), 128],
    ] as const) {
      const packet = parsed(bytes);
      assert.deepEqual([packet.sourcePort, packet.destinationPort], [type << 8, type << 8]);
    }
  });

  it('shows the type of a Mobility Header in the upper byte', () => {
    assert.equal(parsed(ipv6(135, Uint8Array.of(59, 0, 5, 0, 0, 0, 0, 0))).destinationPort, 0x0500);
  });

  it('hides the ports of a later fragment, and shows them of the first', () => {
    const fragment = (offsetAndMore: number) =>
      concat(Uint8Array.of(UDP, 0, offsetAndMore >> 8, offsetAndMore & 0xff, 0, 0, 0, 1), ports);
    for (const [first, later] of [
      [ipv4(UDP, ports, { fragmentation: 0x2000 }), ipv4(UDP, ports, { fragmentation: 0x0001 })],
      [ipv6(44, fragment(0x0001)), ipv6(44, fragment(0x0008))],
    ] as const) {
      assert.deepEqual([parsed(first).fragment, parsed(first).sourcePort], [true, 5353]);
      assert.deepEqual([parsed(later).fragment, parsed(later).sourcePort, parsed(later).protocol], [true, undefined, UDP]);
    }
  });

  it('hides ports that are not there, and of protocols without any', () => {
    assert.equal(parsed(ipv4(UDP, ports.subarray(0, 3))).sourcePort, undefined);
    assert.equal(parsed(ipv4(47, ports)).sourcePort, undefined);
  });

  it('ends where its own length says, whatever follows (RFC 4303 §2.7)', () => {
    for (const bytes of [ipv4(UDP, ports), ipv6(UDP, ports)]) {
      assert.deepEqual(parsed(concat(bytes, new Uint8Array(100))).bytes, bytes);
    }
  });

  it('is none when it is cut anywhere', () => {
    const extended = ipv6(0, concat(Uint8Array.of(UDP, 0, 1, 4, 0, 0, 0, 0), ports));
    for (const bytes of [ipv4(UDP, ports), ipv6(UDP, ports), extended]) {
      for (let length = 0; length < bytes.length; length++) assert.equal(parseInnerPacket(bytes.subarray(0, length)), undefined);
    }
  });

  it('is none when a length in it leads outside', () => {
    const headerTooLong = ipv4(UDP, ports);
    headerTooLong[0] = 0x4f;
    const headerTooShort = ipv4(UDP, ports);
    headerTooShort[0] = 0x44;
    const extensionTooLong = ipv6(0, Uint8Array.of(UDP, 5, 0, 0, 0, 0, 0, 0));
    const cut = [0, 1, 4].map((length) => ipv6(0, new Uint8Array(length)));
    for (const bytes of [headerTooLong, headerTooShort, extensionTooLong, ...cut])
      assert.equal(parseInnerPacket(bytes), undefined);
  });

  it('is none of another version', () => {
    const bytes = ipv4(UDP, ports);
    bytes[0] = 0x55;
    assert.equal(parseInnerPacket(bytes), undefined);
  });

  it('is parsed or not, but nothing is thrown, whatever the bytes', () => {
    const versioned = fc.tuple(fc.constantFrom(0x45, 0x46, 0x4f, 0x60), fc.uint8Array({ minLength: 19, maxLength: 120 }));
    fc.assert(
      fc.property(versioned, ([first, rest]) => {
        parseInnerPacket(concat(Uint8Array.of(first), rest));
      }),
      { numRuns: 500 },
    );
  });
});
