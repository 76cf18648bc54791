import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { internetChecksum, updateChecksum } from '../../../sidecar/dataplane/userspace/checksum.ts';
import { takeHop } from '../../../sidecar/dataplane/userspace/hop-limit.ts';
import { answerEcho, echoRequest, parseEchoReply } from '../../../sidecar/dataplane/userspace/icmp.ts';
import { type Bytes, concat, hex, unhex } from '../../../sidecar/ike/wire/bytes.ts';
import { address, parsed, ping } from './children.ts';

describe('the Internet checksum', () => {
  it('of the example in RFC 1071 §3 is the complement of ddf2', () => {
    assert.equal(internetChecksum(unhex('0001f203f4f5f6f7')), 0xffff - 0xddf2);
  });

  it('of a header that holds its checksum is 0', () => {
    assert.equal(internetChecksum(unhex('45000030442240008006442e8c7c19acae241e2b')), 0);
  });

  it('pads an odd number of bytes with a zero', () => {
    assert.equal(internetChecksum(unhex('0102ff')), internetChecksum(unhex('0102ff00')));
  });

  it('updated for one changed word is the one computed anew', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 20, maxLength: 20 }), fc.nat(0xffff), (bytes, after) => {
        const before = new DataView(bytes.buffer).getUint16(8);
        const changed = Uint8Array.from(bytes);
        new DataView(changed.buffer).setUint16(8, after);
        assert.equal(updateChecksum(internetChecksum(bytes), before, after), internetChecksum(changed));
      }),
    );
  });
});

const versions = [
  { source: address('10.8.0.7'), destination: address('10.8.0.1') },
  { source: address('fd08::7'), destination: address('fd08::1') },
];

describe('an echo', () => {
  it('request over IPv4 is what it has always been, byte for byte', () => {
    const bytes = echoRequest({
      source: address('10.0.0.1'),
      destination: address('10.0.0.2'),
      id: 0x1234,
      sequence: 1,
      payload: unhex('6869'),
    });
    assert.equal(hex(bytes), '4500001e00004000400126dd0a0000010a00000208007d61123400016869');
  });

  it('request is answered from its destination to its source with the same id, sequence and payload', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...versions),
        fc.nat(0xffff),
        fc.nat(0xffff),
        fc.uint8Array({ maxLength: 65 }),
        (ends, id, sequence, payload) => {
          const request = parsed(echoRequest({ ...ends, id, sequence, payload }));
          const answer = answerEcho(request);
          assert.ok(answer);
          const expected = { source: ends.destination, destination: ends.source, id, sequence, payload };
          assert.deepEqual(parseEchoReply(answer), expected);
        },
      ),
    );
  });

  it('request with any flipped bit in the message is not answered', () => {
    for (const ends of versions) {
      const request = echoRequest({ ...ends, id: 1, sequence: 2, payload: unhex('01020304') });
      for (let bit = parsed(request).headerLength * 8; bit < request.length * 8; bit++) {
        assert.equal(answerEcho(parsed(flipped(request, bit))), undefined, `bit ${bit}`);
      }
    }
  });

  it('request over IPv6 is not answered when an address changed on the way (RFC 4443 §2.3)', () => {
    assert.equal(answerEcho(parsed(flipped(ping('fd08::7', 'fd08::1'), 23 * 8))), undefined);
  });

  it('reply is no request, and a request no reply: nothing is answered twice', () => {
    const request = ping('10.8.0.7', '10.8.0.1');
    const answer = answerEcho(parsed(request)) ?? assert.fail();
    assert.equal(answerEcho(parsed(answer)), undefined);
    assert.equal(parseEchoReply(request), undefined);
  });

  it('request that ends within its header is not answered', () => {
    const whole = ping('10.8.0.7', '10.8.0.1');
    for (let length = 20; length < 28; length++) {
      const short = whole.slice(0, length);
      short[3] = length;
      assert.equal(answerEcho(parsed(short)), undefined);
    }
  });

  it('request is none in a packet of another protocol', () => {
    const udp = ping('10.8.0.7', '10.8.0.1');
    udp[9] = 17;
    assert.equal(answerEcho(parsed(udp)), undefined);
  });

  it('request in fragments is not answered', () => {
    const first = ping('10.8.0.7', '10.8.0.1');
    first[6] = 0x20;
    assert.equal(answerEcho(parsed(first)), undefined);
  });

  it('request with IPv4 options is answered without them', () => {
    const plain = ping('10.8.0.7', '10.8.0.1');
    const options = concat(plain.subarray(0, 20), Uint8Array.of(1, 1, 1, 0), plain.subarray(20));
    options[0] = 0x46;
    options[3] = options.length;
    assert.deepEqual(answerEcho(parsed(options)), answerEcho(parsed(plain)));
  });

  it('reply is not seen in any other bytes', () => {
    assert.equal(parseEchoReply(unhex('00')), undefined);
    assert.equal(parseEchoReply(new Uint8Array(28).fill(0x45)), undefined);
  });
});

describe('a packet that goes on', () => {
  /** What it is afterwards. */
  function gone(bytes: Bytes): Bytes | undefined {
    const packet = parsed(Uint8Array.from(bytes));
    return takeHop(packet) ? packet.bytes : undefined;
  }

  it('has one hop less and a correct header checksum', () => {
    const after = gone(ping('10.8.0.7', '10.8.0.1')) ?? assert.fail();
    assert.equal(after[8], 63);
    assert.equal(internetChecksum(after.subarray(0, 20)), 0);
    assert.equal(gone(ping('fd08::7', 'fd08::1'))?.[7], 63);
  });

  it('with a damaged header stays recognisable as such', () => {
    const after = gone(flipped(ping('10.8.0.7', '10.8.0.1'), 13)) ?? assert.fail();
    assert.notEqual(internetChecksum(after.subarray(0, 20)), 0);
  });

  it('goes nowhere on its last hop', () => {
    for (const [bytes, at] of [
      [ping('10.8.0.7', '10.8.0.1'), 8],
      [ping('fd08::7', 'fd08::1'), 7],
    ] as const) {
      for (const hops of [0, 1]) {
        bytes[at] = hops;
        assert.equal(gone(bytes), undefined);
      }
      bytes[at] = 2;
      assert.equal(gone(bytes)?.[at], 1);
    }
  });
});

function flipped(bytes: Bytes, bit: number): Bytes {
  return Uint8Array.from(bytes, (byte, at) => (at === bit >> 3 ? byte ^ (0x80 >> (bit & 7)) : byte));
}
