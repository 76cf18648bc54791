import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EMPTY } from '../../../../sidecar/ike/wire/bytes.ts';
import { Notify, Protocol } from '../../../../sidecar/ike/wire/registry.ts';
import { assertMalformed, decodeBody, encodeBody, octets } from './golden.ts';

describe('Notify, RFC 7296 §3.10', () => {
  const N = 41;

  it('names an SA by protocol and SPI, and carries data', () => {
    const rekey = {
      kind: 'N',
      protocol: Protocol.ESP,
      notify: Notify.REKEY_SA,
      spi: octets('c0ffee01'),
      data: octets('aa'),
    } as const;
    assert.deepEqual(encodeBody(rekey), octets('03 04 4009 c0ffee01 aa'));
    assert.deepEqual(decodeBody(N, '03 04 4009 c0ffee01 aa'), rekey);
  });

  it('ignores the protocol when there is no SPI, and sends none', () => {
    const cookie = { kind: 'N', protocol: Protocol.NONE, notify: Notify.COOKIE, spi: EMPTY, data: octets('c0') } as const;
    assert.deepEqual(decodeBody(N, '01 00 4006 c0'), cookie);
    assert.deepEqual(encodeBody({ ...cookie, protocol: Protocol.IKE }), octets('00 00 4006 c0'));
  });

  it('keeps types that it does not know', () => {
    assert.deepEqual(decodeBody(N, '00 00 ffff'), { kind: 'N', protocol: 0, notify: 0xffff, spi: EMPTY, data: EMPTY });
  });

  it('wants SPIs of the size of their protocol', () => {
    assertMalformed(() => decodeBody(N, '03 08 4009 0011223344556677'), /SPI of 8 bytes for protocol 3/);
    assertMalformed(() => decodeBody(N, '02 03 4009 001122'), /SPI of 3 bytes for protocol 2/);
    assertMalformed(() => decodeBody(N, '01 08 4009 0011223344556677'), /SPI of 8 bytes for protocol 1/);
    assert.ok(decodeBody(N, '09 03 4009 001122'), 'a protocol that we do not know may have any');
  });

  it('wants the whole of its fields', () => {
    assertMalformed(() => decodeBody(N, '03 04 4009 c0ffee'), /wanted 4 bytes, 3 left/);
    assertMalformed(() => decodeBody(N, '00 00 40'), /wanted 2 bytes, 1 left/);
  });
});

describe('Delete, RFC 7296 §3.11', () => {
  const D = 42;

  it('names the IKE SA by no SPI', () => {
    assert.deepEqual(encodeBody({ kind: 'D', protocol: Protocol.IKE, spis: [] }), octets('01 00 0000'));
    assert.deepEqual(decodeBody(D, '01 00 0000'), { kind: 'D', protocol: 1, spis: [] });
  });

  it('names children by their SPIs', () => {
    const children = { kind: 'D', protocol: Protocol.ESP, spis: [octets('c0ffee01'), octets('c0ffee02')] } as const;
    assert.deepEqual(encodeBody(children), octets('03 04 0002 c0ffee01 c0ffee02'));
    assert.deepEqual(decodeBody(D, '03 04 0002 c0ffee01 c0ffee02'), children);
  });

  it('wants as many SPIs as announced', () => {
    assertMalformed(() => decodeBody(D, '03 04 0002 c0ffee01'), /wanted 4 bytes, 0 left/);
    assertMalformed(() => decodeBody(D, '03 04 0001 c0ffee01 c0ffee02'), /4 trailing bytes/);
    assertMalformed(() => decodeBody(D, '01 00 0000 00'), /1 trailing bytes/);
    assertMalformed(() => decodeBody(D, '01 00 ffff'), /65535 SPIs without a size/);
  });

  it('wants a protocol that it knows, and SPIs of its size', () => {
    assertMalformed(() => decodeBody(D, '00 00 0000'), /protocol 0/);
    assertMalformed(() => decodeBody(D, '09 04 0000'), /protocol 9/);
    assertMalformed(() => decodeBody(D, '01 08 0001 0011223344556677'), /SPI of 8 bytes for protocol 1/);
    assertMalformed(() => decodeBody(D, '03 00 0000'), /SPI of 0 bytes for protocol 3/);
  });
});
