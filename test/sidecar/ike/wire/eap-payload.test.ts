import assert from 'node:assert/strict';
import { it } from 'node:test';
import { EMPTY } from '../../../../sidecar/ike/wire/bytes.ts';
import { EapCode } from '../../../../sidecar/ike/wire/registry.ts';
import { assertMalformed, decodeBody, encodeBody, octets } from './golden.ts';

const EAP = 48;

it('a response carries type and data', () => {
  const identity = { kind: 'EAP', code: EapCode.RESPONSE, identifier: 9, data: octets('01 7a') } as const;
  assert.deepEqual(encodeBody(identity), octets('02 09 0006 01 7a'));
  assert.deepEqual(decodeBody(EAP, '02 09 0006 01 7a'), identity);
});

it('success and failure carry nothing (RFC 7296 §3.16)', () => {
  assert.deepEqual(decodeBody(EAP, '03 09 0004'), { kind: 'EAP', code: EapCode.SUCCESS, identifier: 9, data: EMPTY });
  assertMalformed(() => decodeBody(EAP, '03 09 0005 01'), /1 trailing bytes/);
  assertMalformed(() => decodeBody(EAP, '04 09 0005 01'), /1 trailing bytes/);
});

it('wants a type in requests and responses', () => {
  assertMalformed(() => decodeBody(EAP, '01 09 0004'), /without a type/);
  assertMalformed(() => decodeBody(EAP, '02 09 0004'), /without a type/);
});

it('wants the length of the payload', () => {
  assertMalformed(() => decodeBody(EAP, '01 09 0006 01'), /EAP length 6 of 5/);
  assertMalformed(() => decodeBody(EAP, '01 09 0004 01'), /EAP length 4 of 5/);
  assertMalformed(() => decodeBody(EAP, '01 09 00'), /wanted 2 bytes/);
});

it('discards other codes (RFC 3748 §4)', () => {
  assertMalformed(() => decodeBody(EAP, '05 09 0005 01'), /EAP code 5/);
});
