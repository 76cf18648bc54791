import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ProtocolError } from '../../../../sidecar/ike/error.ts';
import { EMPTY, Reader } from '../../../../sidecar/ike/wire/bytes.ts';
import { decodePayloads, encodePayloads, notify, type Payload } from '../../../../sidecar/ike/wire/payload.ts';
import { Notify, Protocol } from '../../../../sidecar/ike/wire/registry.ts';
import { blob, kinds, payload, payloadOf } from '../../../harness/arbitrary-payload.ts';
import { assertMalformed, decodeBody, encodeBody, octets } from './golden.ts';

const decode = (first: number, text: string) => decodePayloads(first, new Reader(octets(text)));

describe('laws', () => {
  for (const kind of kinds)
    it(`${kind}: decoding what was encoded gives the same payload`, () => {
      fc.assert(
        fc.property(payloadOf[kind] as fc.Arbitrary<Payload>, (one) => {
          const { first, bytes } = encodePayloads([one]);
          assert.deepEqual(decodePayloads(first, new Reader(bytes)), [one]);
        }),
      );
    });

  it('a chain of payloads keeps their order', () => {
    fc.assert(
      fc.property(fc.array(payload, { maxLength: 6 }), (payloads) => {
        const { first, bytes } = encodePayloads(payloads);
        assert.deepEqual(decodePayloads(first, new Reader(bytes)), payloads);
      }),
    );
  });

  it('any bytes are payloads or a ProtocolError', () => {
    fc.assert(
      fc.property(fc.integer({ min: 30, max: 56 }), blob(0, 80), (number, body) => {
        valueOrError(() => decodeBody(number, body));
      }),
    );
    fc.assert(
      fc.property(fc.nat(255), blob(0, 80), (first, bytes) => {
        valueOrError(() => decodePayloads(first, new Reader(bytes)));
      }),
    );
  });

  it('a damaged payload is a payload or a ProtocolError, and what is read from it can be written and read again', () => {
    fc.assert(
      fc.property(payload, fc.nat(), fc.nat(255), fc.nat(), (one, at, value, cut) => {
        const { first, bytes } = encodePayloads([one]);
        bytes[at % bytes.length] = value;
        const [damaged] = valueOrError(() => decodePayloads(first, new Reader(bytes))) ?? [];
        if (damaged && !hasNoSelector(damaged)) assert.deepEqual(decodeBody(first, encodeBody(damaged)), damaged);
        valueOrError(() => decodePayloads(first, new Reader(bytes.subarray(0, cut % bytes.length))));
      }),
      { numRuns: 2000 },
    );
  });
});

/** Its selectors were all of unknown types: nothing that could be sent. */
const hasNoSelector = (one: Payload): boolean => 'selectors' in one && one.selectors.length === 0;

function valueOrError<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    assert.ok(error instanceof ProtocolError, String(error));
    return undefined;
  }
}

describe('generic payload header, RFC 7296 §3.2 and §2.5', () => {
  it('names the next payload and counts its own four bytes', () => {
    const { first, bytes } = encodePayloads([
      { kind: 'V', data: octets('aabb') },
      { kind: 'KE', group: 31, data: octets('cc') },
    ]);
    assert.equal(first, 43);
    assert.deepEqual(bytes, octets('22 00 0006 aabb  00 00 0009 001f 0000 cc'));
  });

  it('nothing but nothing is an empty chain', () => {
    assert.deepEqual(encodePayloads([]), { first: 0, bytes: EMPTY });
    assert.deepEqual(decodePayloads(0, new Reader(EMPTY)), []);
  });

  it('skips an unknown payload and reads what follows it', () => {
    assert.deepEqual(decode(200, '2b 00 0006 ffff  00 00 0005 01'), [{ kind: 'V', data: octets('01') }]);
    assert.deepEqual(decode(1, '00 00 0004'), []);
  });

  it('refuses an unknown critical payload and tells its number', () => {
    assert.throws(
      () => decode(43, 'c8 00 0004  00 80 0004'),
      (error) =>
        error instanceof ProtocolError &&
        error.verdict === 'refuse' &&
        error.notify === Notify.UNSUPPORTED_CRITICAL_PAYLOAD &&
        error.data.length === 1 &&
        error.data[0] === 200,
    );
  });

  it('ignores the critical bit and the reserved bits of a payload that it knows', () => {
    assert.deepEqual(decode(43, '00 ff 0005 01'), [{ kind: 'V', data: octets('01') }]);
  });

  it('wants a length that covers the header and stays within the message', () => {
    assertMalformed(() => decode(43, '00 00 0003'), /wanted -1 bytes/);
    assertMalformed(() => decode(43, '00 00 0000'), /wanted -4 bytes/);
    assertMalformed(() => decode(43, '00 00 0006 01'), /wanted 2 bytes, 1 left/);
    assertMalformed(() => decode(43, '00 00'), /wanted 2 bytes, 0 left/);
  });

  it('wants every announced payload and nothing after the last', () => {
    assertMalformed(() => decode(43, '2b 00 0005 01'), /wanted 1 bytes, 0 left/);
    assertMalformed(() => decode(43, '00 00 0005 01 00'), /1 trailing bytes/);
    assertMalformed(() => decode(0, '00'), /1 trailing bytes/);
  });

  it('refuses an encrypted payload inside another one (§3.1)', () => {
    assertMalformed(() => decode(46, '00 00 0006 0102'), /inside another/);
    assertMalformed(() => decode(53, '00 00 0008 0001 0001'), /inside another/);
  });

  it('does not write a payload longer than its length field', () => {
    assert.throws(() => encodePayloads([{ kind: 'V', data: new Uint8Array(0xfffc) }]), RangeError);
    assert.equal(encodePayloads([{ kind: 'V', data: new Uint8Array(0xfffb) }]).bytes.length, 0xffff);
  });
});

describe('simple payloads', () => {
  it('KE: group, two reserved bytes, public value (§3.4)', () => {
    assert.deepEqual(encodeBody({ kind: 'KE', group: 19, data: octets('0102') }), octets('0013 0000 0102'));
    assert.deepEqual(decodeBody(34, '0013 ffff 0102'), { kind: 'KE', group: 19, data: octets('0102') });
    assertMalformed(() => decodeBody(34, '0013 00'), /wanted 2 bytes/);
  });

  it('IDi and IDr: type, three reserved bytes, identity (§3.5)', () => {
    const data = octets('7a2e6578');
    assert.deepEqual(encodeBody({ kind: 'IDi', idType: 2, data }), octets('02 000000 7a2e6578'));
    assert.deepEqual(decodeBody(36, '02 000000 7a2e6578'), { kind: 'IDr', idType: 2, data });
    // §2.15: AUTH covers them as they were sent.
    assert.deepEqual(decodeBody(36, '02 fffffe 7a2e6578'), { kind: 'IDr', idType: 2, data, reserved: octets('fffffe') });
    assertMalformed(() => decodeBody(35, '02 0000'), /wanted 3 bytes/);
  });

  it('an identity that is an address has the length of one (§3.5)', () => {
    assertMalformed(() => decodeBody(35, '01 000000 c0000201 00'), /identity of type 1 with 5 bytes/);
    assertMalformed(() => decodeBody(35, '05 000000 c0000201'), /identity of type 5 with 4 bytes/);
  });

  it('CERT and CERTREQ: encoding and data (§3.6, §3.7)', () => {
    assert.deepEqual(decodeBody(37, '04 3082'), { kind: 'CERT', encoding: 4, data: octets('3082') });
    assert.deepEqual(decodeBody(38, '04'), { kind: 'CERTREQ', encoding: 4, data: EMPTY });
    assertMalformed(() => decodeBody(37, ''), /wanted 1 bytes/);
  });

  it('AUTH: method, three reserved bytes, data (§3.8)', () => {
    assert.deepEqual(encodeBody({ kind: 'AUTH', method: 2, data: octets('aa') }), octets('02 000000 aa'));
    assert.deepEqual(decodeBody(39, '02 010203 aa'), { kind: 'AUTH', method: 2, data: octets('aa') });
    assertMalformed(() => decodeBody(39, '02 00'), /wanted 3 bytes/);
  });

  it('a nonce has 16 to 256 bytes (§3.9)', () => {
    for (const length of [16, 256]) assert.ok(decodeBody(40, new Uint8Array(length)));
    for (const length of [0, 15, 257]) assertMalformed(() => decodeBody(40, new Uint8Array(length)), /nonce of/);
  });
});

it('notify() says the least that it can', () => {
  assert.deepEqual(encodeBody(notify(Notify.TICKET_REQUEST)), octets('00 00 401a'));
  assert.deepEqual(encodeBody(notify(Notify.COOKIE, octets('c0'))), octets('00 00 4006 c0'));
  const rekey = notify(Notify.REKEY_SA, EMPTY, { protocol: Protocol.ESP, spi: octets('01020304') });
  assert.deepEqual(encodeBody(rekey), octets('03 04 4009 01020304'));
});
