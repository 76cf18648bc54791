import assert from 'node:assert/strict';
import { it } from 'node:test';
import { EMPTY } from '../../../../sidecar/ike/wire/bytes.ts';
import type { Payload } from '../../../../sidecar/ike/wire/payload.ts';
import { CfgAttribute, CfgType } from '../../../../sidecar/ike/wire/registry.ts';
import { assertMalformed, decodeBody, encodeBody, octets } from './golden.ts';

const CP = 47;

const reply: Payload = {
  kind: 'CP',
  cfgType: CfgType.CFG_REPLY,
  attributes: [
    { type: CfgAttribute.INTERNAL_IP4_ADDRESS, value: octets('0a080007') },
    { type: CfgAttribute.INTERNAL_IP4_DNS, value: EMPTY },
    { type: CfgAttribute.INTERNAL_IP4_SUBNET, value: octets('0a000000 ff000000') },
    { type: CfgAttribute.INTERNAL_IP6_ADDRESS, value: octets('20010db8000000000000000000000007 40') },
  ],
};
const replyBytes = octets(`
  02 000000
  0001 0004  0a080007
  0003 0000
  000d 0008  0a000000 ff000000
  0008 0011  20010db8000000000000000000000007 40`);

it('writes and reads a reply byte for byte', () => {
  assert.deepEqual(encodeBody(reply), replyBytes);
  assert.deepEqual(decodeBody(CP, replyBytes), reply);
});

it('may have no attribute (RFC 7296 §3.15)', () => {
  assert.deepEqual(decodeBody(CP, '01 000000'), { kind: 'CP', cfgType: 1, attributes: [] });
});

it('ignores what is reserved, in the payload and in an attribute', () => {
  assert.deepEqual(decodeBody(CP, '01 ffffff 8003 0000'), decodeBody(CP, '01 000000 0003 0000'));
});

it('keeps attributes that it does not know, whatever their length', () => {
  const attributes = [{ type: 0x7000, value: octets('aabbcc') }];
  assert.deepEqual(decodeBody(CP, '01 000000 7000 0003 aabbcc'), { kind: 'CP', cfgType: 1, attributes });
});

it('wants whole attributes', () => {
  assertMalformed(() => decodeBody(CP, '01 0000'), /wanted 3 bytes/);
  assertMalformed(() => decodeBody(CP, '01 000000 0001'), /wanted 2 bytes, 0 left/);
  assertMalformed(() => decodeBody(CP, '01 000000 0001 0004 0a0800'), /wanted 4 bytes, 3 left/);
});

it('wants attributes that it knows to have their length, or none (§3.15.1)', () => {
  const attribute = (type: number, length: number) => {
    const head = `01 000000 ${type.toString(16).padStart(4, '0')} ${length.toString(16).padStart(4, '0')}`;
    return () => decodeBody(CP, `${head} ${'00'.repeat(length)}`);
  };
  for (const [type, length] of [
    [1, 4],
    [2, 4],
    [3, 4],
    [4, 4],
    [6, 4],
    [8, 17],
    [10, 16],
    [12, 16],
    [13, 8],
    [15, 17],
  ] as const) {
    assert.ok(attribute(type, length)());
    assert.ok(attribute(type, 0)());
    assertMalformed(attribute(type, length + 1), /configuration attribute/);
    assertMalformed(attribute(type, length - 1), /configuration attribute/);
  }
  assert.ok(attribute(CfgAttribute.SUPPORTED_ATTRIBUTES, 6)());
  assertMalformed(attribute(CfgAttribute.SUPPORTED_ATTRIBUTES, 5), /SUPPORTED_ATTRIBUTES/);
});
