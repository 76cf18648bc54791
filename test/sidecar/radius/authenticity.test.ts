/** The worked examples of RFC 2865 §7, and what a forger would try. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hmac } from '@noble/hashes/hmac.js';
import { md5 } from '@noble/hashes/legacy.js';
import fc from 'fast-check';
import { ProtocolError } from '../../../sidecar/ike/error.ts';
import { concat, hex, unhex, utf8 } from '../../../sidecar/ike/wire/bytes.ts';
import { Type } from '../../../sidecar/radius/attribute.ts';
import { openResponse, sealAccess, sealAccounting } from '../../../sidecar/radius/authenticity.ts';
import { type Attribute, Code, decodePacket, encodePacket } from '../../../sidecar/radius/packet.ts';
import { sealAnswer } from './scripted-server.ts';

const secret = utf8('xyzzy5461');
const bytes = (text: string) => unhex(text.replaceAll(/\s/g, ''));

/** RFC 2865 §7.1 to §7.3: Request Authenticator and response. */
const EXAMPLES = [
  {
    what: '§7.1, Access-Accept',
    authenticator: bytes('0f 40 3f 94 73 97 80 57 bd 83 d5 cb 98 f4 22 7a'),
    response: bytes(`02 00 00 26 86 fe 22 0e 76 24 ba 2a 10 05 f6 bf 9b 55 e0 b2 06 06 00 00 00 01 0f 06 00 00 00 00
      0e 06 c0 a8 01 03`),
  },
  {
    what: '§7.2, Access-Accept',
    authenticator: bytes('2a ee 86 f0 8d 0d 55 96 9c a5 97 8e 0d 33 67 a2'),
    response: bytes(`02 01 00 38 15 ef bc 7d ab 26 cf a3 dc 34 d9 c0 3c 86 01 a4 06 06 00 00 00 02 07 06 00 00 00 01
      08 06 ff ff ff fe 0a 06 00 00 00 02 0d 06 00 00 00 01 0c 06 00 00 05 dc`),
  },
  {
    what: '§7.3, Access-Challenge',
    authenticator: bytes('f3 a4 7a 1f 6a 6d 76 71 0b 94 7a b9 30 41 a0 39'),
    response: bytes(`0b 02 00 4e 36 f3 c8 76 4a e8 c7 11 57 40 3c 0c 71 ff 9c 45 12 30 43 68 61 6c 6c 65 6e 67 65 20
      33 32 37 36 39 34 33 30 2e 20 20 45 6e 74 65 72 20 72 65 73 70 6f 6e 73 65 20 61 74 20 70 72 6f 6d 70 74 2e
      18 0a 33 32 37 36 39 34 33 30`),
  },
];

const request = { code: Code.ACCESS_REQUEST, authenticator: new Uint8Array(16).fill(7) };

describe('authenticity of RADIUS packets', () => {
  for (const { what, authenticator, response } of EXAMPLES) {
    it(`RFC 2865 ${what}: the Response Authenticator is the one that we compute`, () => {
      const packet = decodePacket(response);
      const bound = encodePacket({ ...packet, authenticator });
      assert.equal(hex(md5(concat(bound, secret))), hex(packet.authenticator));
    });

    it(`RFC 2865 ${what}: is not accepted, for it has no Message-Authenticator`, () => {
      assert.equal(openResponse(response, { code: Code.ACCESS_REQUEST, authenticator }, secret), undefined);
    });
  }

  it('an Access-Request begins with a Message-Authenticator over the whole packet', () => {
    const attributes = [{ type: Type.USER_NAME, value: utf8('nemo') }];
    const { bytes: sealed } = sealAccess({ code: Code.ACCESS_REQUEST, identifier: 9, attributes }, secret, request.authenticator);
    const { attributes: decoded } = decodePacket(sealed);
    assert.deepEqual(
      decoded.map(({ type }) => type),
      [Type.MESSAGE_AUTHENTICATOR, Type.USER_NAME],
    );
    const blank = sealed.slice();
    blank.fill(0, 22, 38);
    assert.deepEqual(decoded[0]?.value, hmac(md5, secret, blank));
  });

  it('an Accounting-Request has an authenticator over itself and no Message-Authenticator', () => {
    const sealed = sealAccounting({ identifier: 1, attributes: [{ type: Type.USER_NAME, value: utf8('nemo') }] }, secret);
    const blank = sealed.bytes.slice();
    blank.fill(0, 4, 20);
    assert.equal(hex(md5(concat(blank, secret))), hex(sealed.bytes.subarray(4, 20)));
    assert.equal(decodePacket(sealed.bytes).attributes.length, 1);
  });

  it('a response is accepted with its Message-Authenticator at any place', () => {
    for (const place of [0, 1, 2]) {
      const answer = sealAnswer(request.authenticator, Code.ACCESS_ACCEPT, 3, FIELDS.toSpliced(place, 0, BLANK), secret);
      assert.equal(openResponse(answer, request, secret)?.attributes.length, 3);
    }
  });

  it('bytes behind the length of a response are padding', () => {
    const answer = sealAnswer(request.authenticator, Code.ACCESS_ACCEPT, 3, [BLANK, ...FIELDS], secret);
    assert.ok(openResponse(concat(answer, Uint8Array.of(1, 2, 3)), request, secret));
  });

  it('a response with one bit changed anywhere is not accepted', () => {
    const answer = sealAnswer(request.authenticator, Code.ACCESS_CHALLENGE, 3, [...FIELDS, BLANK], secret);
    for (let bit = 0; bit < answer.length * 8; bit++) {
      const forged = answer.slice();
      forged[bit >> 3] = (forged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      // Who asked for identifier 3 never sees another.
      if (bit >> 3 !== 1) assert.equal(accepted(forged), false, `bit ${bit}`);
    }
  });

  it('a response to another request, with another secret, of a code that answers nothing, or with two Message-Authenticators is not accepted', () => {
    const answer = (code: number, fields: readonly Attribute[]) => sealAnswer(request.authenticator, code, 3, fields, secret);
    const good = answer(Code.ACCESS_ACCEPT, [BLANK, ...FIELDS]);
    assert.ok(openResponse(good, request, secret));
    assert.equal(openResponse(good, { ...request, authenticator: new Uint8Array(16) }, secret), undefined);
    assert.equal(openResponse(good, request, utf8('another secret')), undefined);
    assert.equal(openResponse(answer(Code.ACCOUNTING_RESPONSE, [BLANK]), request, secret), undefined);
    assert.equal(openResponse(answer(Code.ACCESS_ACCEPT, [BLANK, BLANK]), request, secret), undefined);
  });

  it('a Message-Authenticator that is wrong is not made good by a Response Authenticator, which MD5 alone protects', () => {
    const good = sealAnswer(request.authenticator, Code.ACCESS_ACCEPT, 3, [BLANK, ...FIELDS], secret);
    const forged = good.slice();
    forged.fill(0, 22, 38);
    forged.set(request.authenticator, 4);
    forged.set(md5(concat(forged, secret)), 4);
    assert.equal(openResponse(forged, request, secret), undefined);
  });

  it('only an answer to accounting may come without a Message-Authenticator', () => {
    const bare = sealAnswer(request.authenticator, Code.ACCOUNTING_RESPONSE, 3, [], secret);
    assert.ok(openResponse(bare, { ...request, code: Code.ACCOUNTING_REQUEST }, secret));
    assert.equal(openResponse(bare, { ...request, code: Code.STATUS_SERVER }, secret), undefined);
  });

  it('any bytes are a packet or malformed, and never an accepted response', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 128 }), (garbage) => !accepted(garbage)));
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 64 }), (body) => {
        const header = Uint8Array.of(2, 3, 0, body.length + 4);
        return !accepted(concat(header, body));
      }),
    );
  });

  it('what is encoded decodes to the same, and lengths that lie are malformed', () => {
    const attribute = fc.record(
      { type: fc.nat(255), value: fc.uint8Array({ minLength: 1, maxLength: 253 }) },
      { noNullPrototype: true },
    );
    const packet = fc.record(
      {
        code: fc.nat(255),
        identifier: fc.nat(255),
        authenticator: fc.uint8Array({ minLength: 16, maxLength: 16 }),
        attributes: fc.array(attribute, { maxLength: 12 }),
      },
      { noNullPrototype: true },
    );
    fc.assert(fc.property(packet, (one) => assert.deepEqual(decodePacket(encodePacket(one)), one)));
    const good = encodePacket({ code: 1, identifier: 1, authenticator: new Uint8Array(16), attributes: FIELDS });
    for (const change of [
      (b: Uint8Array) => b.fill(0, 2, 4),
      (b: Uint8Array) => b.fill(255, 2, 4),
      (b: Uint8Array) => b.fill(1, 21, 22),
      (b: Uint8Array) => b.fill(255, 21, 22),
    ]) {
      const bad = good.slice();
      change(bad);
      assert.throws(() => decodePacket(bad), ProtocolError);
    }
    assert.throws(() => decodePacket(good.subarray(0, good.length - 1)), ProtocolError);
  });
});

const BLANK: Attribute = { type: Type.MESSAGE_AUTHENTICATOR, value: new Uint8Array(16) };
const FIELDS: readonly Attribute[] = [
  { type: Type.USER_NAME, value: utf8('nemo') },
  { type: Type.CLASS, value: Uint8Array.of(1, 2, 3) },
];

function accepted(datagram: Uint8Array): boolean {
  try {
    return openResponse(datagram, request, secret) !== undefined;
  } catch (error) {
    assert.ok(error instanceof ProtocolError);
    return false;
  }
}
