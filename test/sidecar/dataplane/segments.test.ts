/** TCP segments that a TUN device leaves together and takes together: taken apart and put together they are what they were. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Layout, LONGEST, placeOf } from '../../../sidecar/dataplane/esp-thread/layout.ts';
import { loadNative, type NativeArena } from '../../../sidecar/dataplane/esp-thread/native.ts';
import { takeApart } from '../../../sidecar/dataplane/esp-thread/segments-apart.ts';
import { FLOWS, SegmentsTogether } from '../../../sidecar/dataplane/esp-thread/segments-together.ts';
import { Segments, VIRTIO_HEADER, writePlain, writeSegments } from '../../../sidecar/dataplane/esp-thread/virtio-header.ts';
import { pseudoSum, wordSum } from '../../../sidecar/dataplane/esp-thread/word-checksum.ts';
import { internetChecksum, pseudoHeaderSum } from '../../../sidecar/dataplane/userspace/checksum.ts';
import { type Bytes, hex } from '../../../sidecar/ike/wire/bytes.ts';
import { address, filled } from './children.ts';

const native = await loadNative();
const ACK = 0x10;
const PSH = 0x08;
const FIN = 0x01;

interface Segment {
  readonly flow: number;
  readonly sequence: number;
  readonly payload: Bytes;
  readonly flags?: number;
  readonly ipv6?: boolean;
  readonly options?: Bytes;
  readonly id?: number;
}

/** A whole TCP packet with right checksums. */
function tcp({
  flow,
  sequence,
  payload,
  flags = ACK,
  ipv6 = false,
  options = new Uint8Array(12).fill(1),
  id = 0,
}: Segment): Bytes {
  const [ip, header] = [ipv6 ? 40 : 20, 20 + options.length];
  const bytes = new Uint8Array(ip + header + payload.length);
  const view = new DataView(bytes.buffer);
  const [source, destination] = (ipv6 ? ['fd08::7', 'fd08::1'] : ['10.8.0.7', '10.8.0.1']).map(address) as [Bytes, Bytes];
  bytes[0] = ipv6 ? 0x60 : 0x45;
  if (ipv6) view.setUint16(4, bytes.length - 40);
  else view.setUint16(2, bytes.length);
  if (!ipv6) view.setUint16(4, id);
  if (!ipv6) bytes.set([0x40, 0, 64, 6], 6);
  else bytes.set([6, 64], 6);
  bytes.set(source, ipv6 ? 8 : 12);
  bytes.set(destination, ipv6 ? 24 : 16);
  if (!ipv6) view.setUint16(10, internetChecksum(bytes.subarray(0, 20)));
  view.setUint16(ip, 40_000 + flow);
  view.setUint16(ip + 2, 443);
  view.setUint32(ip + 4, sequence);
  view.setUint32(ip + 8, 77);
  bytes.set([(header / 4) << 4, flags, 1, 0], ip + 12);
  bytes.set(options, ip + 20);
  bytes.set(payload, ip + header);
  view.setUint16(ip + 16, internetChecksum(bytes.subarray(ip), pseudoHeaderSum(source, destination, 6, header + payload.length)));
  return bytes;
}

describe('TCP segments', { skip: native === undefined && 'no koffi here' }, () => {
  const layout = new Layout();
  const places = layout.takePlaces();
  const arena: NativeArena = native?.allocate(layout.size) ?? assert.fail();
  const [reading = 0, arriving = 0, ...growing] = Array.from({ length: 2 + FLOWS }, (_, index) => placeOf(places, index));
  const leaving = placeOf(places, 3 + FLOWS);

  /** What comes of writes with their headers, once more apart. */
  function apart(written: readonly Bytes[]): Bytes[] {
    const packets: Bytes[] = [];
    for (const whole of written) {
      arena.bytes.set(whole, reading - VIRTIO_HEADER);
      takeApart(arena, reading - VIRTIO_HEADER, reading, whole.length - VIRTIO_HEADER, { next: () => leaving }, (at, length) =>
        packets.push(arena.bytes.slice(at, at + length)),
      );
    }
    return packets;
  }

  function together(packets: readonly Bytes[]): Bytes[] {
    const written: Bytes[] = [];
    const all = new SegmentsTogether(arena, growing, (header, length) =>
      written.push(arena.bytes.slice(header, header + length)),
    );
    for (const packet of packets) {
      arena.bytes.set(packet, arriving);
      all.put(arriving, packet.length);
    }
    all.flush();
    return written;
  }

  const stream = (lengths: readonly number[], rest: Partial<Segment> = {}): Bytes[] => {
    let sequence = 0xffff_f000;
    return lengths.map((length, index) => {
      const packet = tcp({ flow: 1, sequence: sequence >>> 0, payload: filled(length, index), id: index, ...rest });
      sequence += length;
      return packet;
    });
  };

  it('of one stream are one packet, and the same when it is taken apart, on IPv4 and IPv6', () => {
    for (const ipv6 of [false, true]) {
      const packets = stream([1348, 1348, 1348, 700], { ipv6 });
      const written = together(packets);
      assert.equal(written.length, 1);
      assert.deepEqual(apart(written), packets);
    }
  });

  it('become no longer packet than IP can tell', () => {
    const packets = stream(Array.from({ length: 100 }, () => 1348));
    const written = together(packets);
    for (const { length } of written) assert.ok(length - VIRTIO_HEADER < LONGEST);
    assert.equal(written.length, 3);
    assert.deepEqual(apart(written), packets);
  });

  it('with another flag, a hole, other options, a wrong checksum or a longer payload stay by themselves, in order', () => {
    const good = stream([100, 100, 100]);
    const wrong = Uint8Array.from(good[1] ?? assert.fail());
    wrong[60] = (wrong[60] ?? 0) ^ 1;
    const other = new Uint8Array(12).fill(2);
    const cases: readonly (readonly Bytes[])[] = [
      [...stream([100]), ...stream([100, 100], { flags: ACK | FIN }).slice(1)],
      [good[0] ?? assert.fail(), good[2] ?? assert.fail()],
      [good[0] ?? assert.fail(), ...stream([100, 100], { options: other }).slice(1)],
      [good[0] ?? assert.fail(), wrong],
      stream([100, 101]),
      [good[0] ?? assert.fail(), ...stream([100, 0]).slice(1)],
    ];
    for (const packets of cases) {
      const written = together(packets);
      assert.deepEqual(
        written.map((one) => hex(one.subarray(VIRTIO_HEADER))),
        packets.map(hex),
      );
      for (const one of written) assert.equal(hex(one.subarray(0, VIRTIO_HEADER)), '00'.repeat(VIRTIO_HEADER));
    }
  });

  it('end with one that is shorter, or that wants to be handed over', () => {
    assert.equal(together(stream([1348, 700, 700])).length, 2);
    const [first, second, third] = stream([100, 100, 100]);
    const pushed = stream([100, 100], { flags: ACK | PSH })[1];
    assert.ok(first && second && third && pushed);
    const written = together([first, pushed, third]);
    assert.equal(written.length, 2);
    assert.deepEqual(apart(written), [first, pushed, third]);
  });

  it('of many streams and whatever else stay what they are, and in the order of their stream', () => {
    const step = fc.record({
      flow: fc.nat(FLOWS + 2),
      length: fc.constantFrom(0, 1, 99, 100, 100, 100, 1348),
      flags: fc.constantFrom(ACK, ACK, ACK, ACK | PSH, ACK | FIN, 0x02),
      skip: fc.constantFrom(0, 0, 0, 0, 5),
      ipv6: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const next = new Map<string, { sequence: number; id: number }>();
        const packets = steps.map(({ flow, length, flags, skip, ipv6 }, index) => {
          const key = `${flow}${ipv6}`;
          const { sequence, id } = next.get(key) ?? { sequence: 0xffff_ff00, id: 0 };
          next.set(key, { sequence: sequence + skip + length, id: id + 1 });
          return tcp({ flow, sequence: (sequence + skip) >>> 0, payload: filled(length, index), flags, ipv6, id });
        });
        const flowOf = (packet: Bytes): string => hex(packet.subarray(...((packet[0] ?? 0) >>> 4 === 4 ? [20, 22] : [40, 42])));
        const byFlow = (all: readonly Bytes[]) =>
          Object.groupBy(
            all.map((packet) => [packet[0] ?? 0, flowOf(packet), hex(packet)] as const),
            ([version, flow]) => `${version} ${flow}`,
          );
        assert.deepEqual(byFlow(apart(together(packets))), byFlow(packets));
      }),
      { numRuns: 100 },
    );
  });

  it('that contradict themselves are dropped, and nothing is thrown', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: VIRTIO_HEADER, maxLength: VIRTIO_HEADER }),
        fc.uint8Array({ minLength: 1, maxLength: 200 }),
        (header, rest) => {
          apart([Uint8Array.from([...header, ...rest])]);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('lack their checksums until they are completed', () => {
    const whole = tcp({ flow: 1, sequence: 5, payload: filled(301, 1) });
    const header = new Uint8Array(VIRTIO_HEADER + whole.length);
    header.set(whole, VIRTIO_HEADER);
    arena.bytes.set(header, reading - VIRTIO_HEADER);
    writeSegments(arena, reading - VIRTIO_HEADER, { kind: Segments.NONE, headers: 52, segment: 0, tcp: 20 });
    arena.view.setUint16(reading + 36, pseudoSum(arena, reading, 6, whole.length - 20));
    assert.deepEqual(apart([arena.bytes.slice(reading - VIRTIO_HEADER, reading + whole.length)]), [whole]);
    writePlain(arena, reading - VIRTIO_HEADER);
  });
});

describe('the checksum of words', { skip: native === undefined && 'no koffi here' }, () => {
  const arena: NativeArena = native?.allocate(4096) ?? assert.fail();

  it('is that of bytes, at every even place and of every length', () => {
    fc.assert(
      fc.property(fc.nat(3), fc.uint8Array({ maxLength: 300 }), (word, bytes) => {
        arena.bytes.set(bytes, 2 * word);
        assert.equal(~wordSum(arena, 2 * word, bytes.length) & 0xffff, internetChecksum(bytes));
      }),
    );
  });
});
