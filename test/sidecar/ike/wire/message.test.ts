import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ProtocolError } from '../../../../sidecar/ike/error.ts';
import { concat, EMPTY } from '../../../../sidecar/ike/wire/bytes.ts';
import {
  decodeHeader,
  decodeMessage,
  encodeMessage,
  encodePrefix,
  type Header,
  NO_SPI,
} from '../../../../sidecar/ike/wire/message.ts';
import { Exchange, Notify } from '../../../../sidecar/ike/wire/registry.ts';
import { blob, encryptedMessage, message } from '../../../harness/arbitrary-payload.ts';
import { assertMalformed, octets } from './golden.ts';

const header: Header = {
  spiI: '0011223344556677',
  spiR: '8899aabbccddeeff',
  exchange: Exchange.CREATE_CHILD_SA,
  response: true,
  initiator: true,
  messageId: 0x8000_0001,
};
/** Version, flags and length are the ones to vary. */
const clear = (change: { version?: string; flags?: string; length?: string; spiI?: string; exchange?: string } = {}) =>
  octets(`${change.spiI ?? '0011223344556677'} 8899aabbccddeeff
    2b ${change.version ?? '20'} ${change.exchange ?? '24'} ${change.flags ?? '28'} 80000001 ${change.length ?? '00000022'}
    00 00 0006 aabb`);
const encrypted = (number: string, rest: string) => {
  const length = (28 + octets(rest).length).toString(16).padStart(8, '0');
  return octets(`0011223344556677 8899aabbccddeeff ${number} 20 24 28 80000001 ${length} ${rest}`);
};

describe('laws', () => {
  it('decoding what was encoded gives the same message', () => {
    fc.assert(
      fc.property(message, (one) => {
        const datagram = encodeMessage(one);
        assert.deepEqual(decodeMessage(datagram), { ...one, encrypted: undefined });
        const { payloads: _, ...head } = one;
        assert.deepEqual(decodeHeader(datagram), head);
      }),
    );
  });

  it('prefix and body give the encrypted message that they make up', () => {
    fc.assert(
      fc.property(encryptedMessage, ({ header, first, fragment, body }) => {
        const aad = encodePrefix(header, { first, fragment, bodyLength: body.length });
        const decoded = decodeMessage(concat(aad, body));
        assert.deepEqual(decoded, { ...header, payloads: [], encrypted: { first, fragment, aad, body } });
      }),
    );
  });

  it('any datagram is a message or a ProtocolError', () => {
    fc.assert(fc.property(blob(0, 120), messageOrError));
    fc.assert(
      fc.property(message.map(encodeMessage), fc.nat(), fc.nat(255), (datagram, at, value) => {
        datagram[at % datagram.length] = value;
        messageOrError(datagram);
      }),
      { numRuns: 1000 },
    );
  });
});

function messageOrError(datagram: Uint8Array): void {
  try {
    decodeMessage(datagram);
  } catch (error) {
    assert.ok(error instanceof ProtocolError, String(error));
  }
}

describe('header, RFC 7296 §3.1', () => {
  it('is written and read byte for byte', () => {
    const one = { ...header, payloads: [{ kind: 'V', data: octets('aabb') }] } as const;
    assert.deepEqual(encodeMessage(one), clear());
    assert.deepEqual(decodeMessage(clear()), { ...one, encrypted: undefined });
  });

  it('has flags for who began and for answers, ignores the others', () => {
    const flags = (value: string) => decodeHeader(clear({ flags: value }));
    assert.deepEqual([flags('20').response, flags('20').initiator], [true, false]);
    assert.deepEqual([flags('08').response, flags('08').initiator], [false, true]);
    assert.deepEqual(flags('d7'), flags('00'));
  });

  it('ignores the minor version', () => {
    assert.deepEqual(decodeMessage(clear({ version: '2f' })), decodeMessage(clear()));
  });

  it('answers a higher major version with the one that it speaks (§2.5)', () => {
    assert.throws(
      () => decodeHeader(clear({ version: '30' })),
      (error) =>
        error instanceof ProtocolError &&
        error.verdict === 'refuse' &&
        error.notify === Notify.INVALID_MAJOR_VERSION &&
        error.data.length === 0,
    );
  });

  it('is silent about IKEv1', () => {
    assertMalformed(() => decodeHeader(clear({ version: '10' })), /major version 1/);
  });

  it('wants the length of the datagram', () => {
    for (const length of ['00000021', '00000023', '00000000', 'ffffffff', '80000022'])
      for (const decode of [decodeHeader, decodeMessage]) assertMalformed(() => decode(clear({ length })), /length \d+ of 34/);
    for (const length of [0, 27]) assertMalformed(() => decodeHeader(clear().subarray(0, length)), /wanted \d+ bytes/);
  });

  it('wants an SPI of the initiator, except in a notify outside of any SA (§1.5)', () => {
    assertMalformed(() => decodeHeader(clear({ spiI: NO_SPI })), /no SPI/);
    assert.equal(decodeHeader(clear({ spiI: NO_SPI, exchange: '25' })).spiI, NO_SPI);
  });
});

describe('encrypted payload, RFC 7296 §3.14', () => {
  it('SK: what is authenticated only ends with its header, the rest is the body', () => {
    const datagram = encrypted('2e', '21 00 0007 010203');
    assert.deepEqual(decodeMessage(datagram), {
      ...header,
      payloads: [],
      encrypted: { first: 33, fragment: undefined, aad: datagram.subarray(0, 32), body: octets('010203') },
    });
    assert.deepEqual(encodePrefix(header, { first: 33, bodyLength: 3 }), datagram.subarray(0, 32));
  });

  it('follows payloads in clear', () => {
    const { payloads, encrypted: sealed } = decodeMessage(encrypted('2b', '2e 00 0005 aa  21 00 0007 010203'));
    assert.deepEqual(payloads, [{ kind: 'V', data: octets('aa') }]);
    assert.equal(sealed?.aad.length, 37);
    assert.deepEqual(sealed?.body, octets('010203'));
  });

  it('names no first payload when there is none inside', () => {
    assert.equal(decodeMessage(encrypted('2e', '00 00 0005 01')).encrypted?.first, 0);
  });

  it('must be the last payload', () => {
    assertMalformed(() => decodeMessage(encrypted('2e', '2b 00 0005 01  00 00 0005 aa')), /5 trailing bytes/);
    assertMalformed(() => decodeMessage(encrypted('2e', '21 00 0007 0102')), /wanted 3 bytes, 2 left/);
    assertMalformed(() => decodeMessage(encrypted('2e', '21 00 0003')), /wanted -1 bytes/);
  });

  it('gives plain views of the datagram, not copies', () => {
    const datagram = Buffer.from(encrypted('2e', '21 00 0007 010203'));
    const sealed = decodeMessage(datagram).encrypted;
    assert.equal(sealed?.aad.buffer, datagram.buffer);
    assert.deepEqual([sealed?.aad.constructor, sealed?.body.constructor], [Uint8Array, Uint8Array]);
  });
});

describe('fragments, RFC 7383 §2.5 and §2.6', () => {
  it('SKF: number and total belong to what is authenticated', () => {
    const datagram = encrypted('35', '23 00 000a 0001 0003 aabb');
    assert.deepEqual(decodeMessage(datagram).encrypted, {
      first: 35,
      fragment: { number: 1, total: 3 },
      aad: datagram.subarray(0, 36),
      body: octets('aabb'),
    });
    assert.deepEqual(
      encodePrefix(header, { first: 35, fragment: { number: 1, total: 3 }, bodyLength: 2 }),
      datagram.subarray(0, 36),
    );
    assert.deepEqual(decodeMessage(encrypted('35', '00 00 0009 0003 0003 aa')).encrypted?.fragment, { number: 3, total: 3 });
  });

  it('counts from 1 to the total', () => {
    for (const [number, total] of [
      ['0000', '0001'],
      ['0000', '0000'],
      ['0001', '0000'],
      ['0003', '0002'],
    ])
      assertMalformed(() => decodeMessage(encrypted('35', `00 00 0009 ${number} ${total} aa`)), /fragment \d of \d/);
  });

  it('names the first payload in the first fragment only', () => {
    assertMalformed(() => decodeMessage(encrypted('35', '23 00 0009 0002 0003 aa')), /fragment 2/);
  });

  it('carries payloads in clear in the first fragment only (§2.5.3)', () => {
    assert.ok(decodeMessage(encrypted('2b', '35 00 0005 aa  23 00 0009 0001 0002 bb')));
    assertMalformed(() => decodeMessage(encrypted('2b', '35 00 0005 aa  00 00 0009 0002 0002 bb')), /fragment 2/);
  });

  it('wants its two numbers', () => {
    assertMalformed(() => decodeMessage(encrypted('35', '23 00 0007 0001 00')), /wanted 2 bytes, 1 left/);
  });
});

it('does not write an SPI of another length', () => {
  assert.throws(() => encodePrefix({ ...header, spiI: '00' }, { first: 0, bodyLength: 0 }), RangeError);
  assert.deepEqual(decodeMessage(encodeMessage({ ...header, payloads: [] })).payloads, []);
  assert.equal(encodeMessage({ ...header, payloads: [] }).length, 28 + EMPTY.length);
});
