import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EMPTY } from '../../../../sidecar/ike/wire/bytes.ts';
import type { Payload } from '../../../../sidecar/ike/wire/payload.ts';
import { Encr, Esn, Integ, Ke, Prf, Protocol, TransformType } from '../../../../sidecar/ike/wire/registry.ts';
import { assertMalformed, decodeBody, encodeBody, octets } from './golden.ts';

const SA = 33;

const offer: Payload = {
  kind: 'SA',
  proposals: [
    {
      number: 1,
      protocol: Protocol.IKE,
      spi: EMPTY,
      transforms: [
        { type: TransformType.ENCR, id: Encr.AES_GCM_16, keyBits: 256 },
        { type: TransformType.PRF, id: Prf.HMAC_SHA2_256 },
        { type: TransformType.KE, id: Ke.CURVE25519 },
      ],
    },
    {
      number: 2,
      protocol: Protocol.IKE,
      spi: EMPTY,
      transforms: [
        { type: TransformType.ENCR, id: Encr.AES_CBC, keyBits: 128 },
        { type: TransformType.INTEG, id: Integ.HMAC_SHA2_256_128 },
      ],
    },
  ],
};
const offerBytes = octets(`
  02 00 0024  01 01 00 03
    03 00 000c  01 00 0014  800e 0100
    03 00 0008  02 00 0005
    00 00 0008  04 00 001f
  00 00 001c  02 01 00 02
    03 00 000c  01 00 000c  800e 0080
    00 00 0008  03 00 000c`);

it('writes and reads an offer of two proposals byte for byte', () => {
  assert.deepEqual(encodeBody(offer), offerBytes);
  assert.deepEqual(decodeBody(SA, offerBytes), offer);
});

it('writes and reads an ESP proposal with its SPI', () => {
  const esp: Payload = {
    kind: 'SA',
    proposals: [
      { number: 3, protocol: Protocol.ESP, spi: octets('c0ffee01'), transforms: [{ type: TransformType.ESN, id: Esn.NO_ESN }] },
    ],
  };
  const bytes = octets('00 00 0014  03 03 04 01  c0ffee01  00 00 0008  05 00 0000');
  assert.deepEqual(encodeBody(esp), bytes);
  assert.deepEqual(decodeBody(SA, bytes), esp);
});

it('ignores what is reserved', () => {
  assert.deepEqual(
    decodeBody(SA, '00 ff 0010 01 01 00 01  00 ff 0008 02 ff 0005'),
    decodeBody(SA, '00 00 0010 01 01 00 01  00 00 0008 02 00 0005'),
  );
});

describe('lengths and counts, RFC 7296 §3.3', () => {
  it('wants at least one proposal and one transform', () => {
    assertMalformed(() => decodeBody(SA, ''), /wanted 1 bytes/);
    assertMalformed(() => decodeBody(SA, '00 00 0008 01 01 00 00'), /wanted 1 bytes/);
  });

  it('wants as many transforms as announced', () => {
    assertMalformed(() => decodeBody(SA, '00 00 0010 01 01 00 02  00 00 0008 02 00 0005'), /1 transforms, 2 announced/);
  });

  it('wants the signs of the last substructure to be true (§3.3.1, §3.3.2)', () => {
    const proposal = (sign: string) => `${sign} 00 0010 01 01 00 01  00 00 0008 02 00 0005`;
    assertMalformed(() => decodeBody(SA, proposal('03')), /last substructure 3/);
    assertMalformed(() => decodeBody(SA, proposal('02')), /wanted 1 bytes, 0 left/);
    assertMalformed(() => decodeBody(SA, `${proposal('00')} ${proposal('00')}`), /16 trailing bytes/);
    const transform = (sign: string) => `00 00 0010 01 01 00 01  ${sign} 00 0008 02 00 0005`;
    assertMalformed(() => decodeBody(SA, transform('02')), /last substructure 2/);
    assertMalformed(() => decodeBody(SA, transform('03')), /wanted 1 bytes, 0 left/);
    assertMalformed(
      () => decodeBody(SA, '00 00 0018 01 01 00 01  00 00 0008 02 00 0005  00 00 0008 02 00 0005'),
      /8 trailing bytes/,
    );
  });

  it('wants nested lengths to fit into each other', () => {
    assertMalformed(() => decodeBody(SA, '00 00 0011 01 01 00 01  00 00 0008 02 00 0005'), /wanted 13 bytes, 12 left/);
    assertMalformed(() => decodeBody(SA, '00 00 0003 01 01 00 01'), /wanted -1 bytes/);
    assertMalformed(() => decodeBody(SA, '00 00 0010 01 01 00 01  00 00 0009 02 00 0005'), /wanted 5 bytes, 4 left/);
    assertMalformed(() => decodeBody(SA, '00 00 000e 01 01 00 01  00 00 0006 02 00'), /wanted 2 bytes, 0 left/);
    assertMalformed(() => decodeBody(SA, '00 00 0010 01 03 04 01  c0ffee01 00 00 0008'), /wanted 4 bytes, 0 left/);
  });

  it('wants SPIs of the size of their protocol (§3.3.1)', () => {
    const withSpi = (protocol: string, spi: string) => {
      const length = 16 + spi.length / 2;
      const size = (spi.length / 2).toString(16).padStart(2, '0');
      return `00 00 ${length.toString(16).padStart(4, '0')} 01 ${protocol} ${size} 01 ${spi} 00 00 0008 02 00 0005`;
    };
    for (const spi of ['', '0011223344556677']) assert.ok(decodeBody(SA, withSpi('01', spi)));
    assertMalformed(() => decodeBody(SA, withSpi('01', '00112233')), /SPI of 4 bytes for protocol 1/);
    for (const protocol of ['02', '03']) {
      assert.ok(decodeBody(SA, withSpi(protocol, '00112233')));
      for (const spi of ['', '001122', '0011223344556677'])
        assertMalformed(() => decodeBody(SA, withSpi(protocol, spi)), /SPI of \d bytes/);
    }
    assert.ok(decodeBody(SA, withSpi('09', '001122')), 'a protocol that we do not know may have any');
  });
});

it('wants proposals numbered one after another from 1, save for the single one of an answer (§3.3.1)', () => {
  const numbered = (...numbers: number[]) =>
    numbers
      .map((number, index) => `${index === numbers.length - 1 ? '00' : '02'} 00 0010 0${number} 01 00 01  00 00 0008 02 00 0005`)
      .join('');
  for (const good of [[1], [7], [1, 2, 3]]) assert.ok(decodeBody(SA, numbered(...good)));
  for (const bad of [[0], [2, 3], [1, 1], [1, 3], [2, 1]])
    assertMalformed(() => decodeBody(SA, numbered(...bad)), new RegExp(`numbered ${bad.join(', ')}`));
});

describe('transform attributes, RFC 7296 §3.3.5 and §3.3.6', () => {
  const transformWith = (attributes: string) => {
    const extra = attributes.replace(/\s/g, '').length / 2;
    const length = (n: number) => (n + extra).toString(16).padStart(4, '0');
    const payload = decodeBody(SA, `00 00 ${length(16)} 01 01 00 01  00 00 ${length(8)} 01 00 000c ${attributes}`);
    return payload?.kind === 'SA' ? payload.proposals[0]?.transforms[0] : undefined;
  };

  it('reads the key length', () => {
    assert.deepEqual(transformWith('800e 0100'), { type: 1, id: 12, keyBits: 256 });
  });

  it('keeps a transform with attributes that it does not understand, and says so', () => {
    assert.deepEqual(transformWith('800f 0001'), { type: 1, id: 12, unknownAttributes: octets('800f 0001') });
    assert.deepEqual(transformWith('0010 0003 aabbcc 800e 0080'), {
      type: 1,
      id: 12,
      keyBits: 128,
      unknownAttributes: octets('0010 0003 aabbcc'),
    });
  });

  it('does not understand a key length in the long format, which it MUST NOT have', () => {
    assert.deepEqual(transformWith('000e 0002 0100'), { type: 1, id: 12, unknownAttributes: octets('000e 0002 0100') });
  });

  it('wants whole attributes, and one of a type', () => {
    assertMalformed(() => transformWith('800e'), /wanted 4 bytes, 2 left/);
    assertMalformed(() => transformWith('0010 0004 aabbcc'), /wanted 4 bytes, 3 left/);
    assertMalformed(() => transformWith('800e 0080 800e 0100'), /two Key Length/);
  });
});

it('does not write more transforms than can be counted', () => {
  const transforms = Array.from({ length: 256 }, (_, id) => ({ type: TransformType.ENCR, id }));
  assert.throws(
    () => encodeBody({ kind: 'SA', proposals: [{ number: 1, protocol: Protocol.IKE, spi: EMPTY, transforms }] }),
    RangeError,
  );
});
