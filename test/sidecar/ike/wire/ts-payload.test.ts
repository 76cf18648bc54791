import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Payload } from '../../../../sidecar/ike/wire/payload.ts';
import { assertMalformed, decodeBody, encodeBody, octets } from './golden.ts';

const TSi = 44;

const selectors: Payload = {
  kind: 'TSi',
  selectors: [
    { protocol: 0, startPort: 0, endPort: 65535, start: octets('0a080000'), end: octets('0a0800ff') },
    {
      protocol: 17,
      startPort: 53,
      endPort: 53,
      start: octets('20010db8 00000000 00000000 00000000'),
      end: octets('20010db8 00000000 ffffffff ffffffff'),
    },
  ],
};
const selectorBytes = octets(`
  02 000000
  07 00 0010  0000 ffff  0a080000  0a0800ff
  08 11 0028  0035 0035  20010db8000000000000000000000000  20010db800000000ffffffffffffffff`);

it('writes and reads selectors of both families byte for byte', () => {
  assert.deepEqual(encodeBody(selectors), selectorBytes);
  assert.deepEqual(decodeBody(TSi, selectorBytes), selectors);
});

it('TSr differs by its number only', () => {
  assert.deepEqual(decodeBody(45, selectorBytes), { ...selectors, kind: 'TSr' });
});

it('ignores what is reserved', () => {
  assert.deepEqual(
    decodeBody(TSi, '01 ffffff 07 00 0010 0000 ffff 0a080000 0a0800ff'),
    decodeBody(TSi, '01 000000 07 00 0010 0000 ffff 0a080000 0a0800ff'),
  );
});

it('leaves out selectors of unknown types and reads the others (RFC 7296 §3.13.1)', () => {
  const payload = decodeBody(TSi, '02 000000  09 00 0006 abcd  07 06 0010 0050 0050 0a080001 0a080001');
  assert.deepEqual(payload, {
    kind: 'TSi',
    selectors: [{ protocol: 6, startPort: 80, endPort: 80, start: octets('0a080001'), end: octets('0a080001') }],
  });
  assert.deepEqual(decodeBody(TSi, '01 000000  0a 00 0004'), { kind: 'TSi', selectors: [] });
});

it('wants at least one selector, and as many as announced (§3.13)', () => {
  assertMalformed(() => decodeBody(TSi, '00 000000'), /no traffic selector/);
  assertMalformed(() => decodeBody(TSi, '02 000000 07 00 0010 0000 ffff 0a080000 0a0800ff'), /wanted 1 bytes, 0 left/);
  assertMalformed(
    () => decodeBody(TSi, '01 000000 07 00 0010 0000 ffff 0a080000 0a0800ff  07 00 0010 0000 ffff 0a080000 0a0800ff'),
    /16 trailing bytes/,
  );
});

it('wants selectors of the length of their type (§3.13.1)', () => {
  assertMalformed(() => decodeBody(TSi, '01 000000 07 00 0011 0000 ffff 0a080000 0a0800ff 00'), /1 trailing bytes/);
  assertMalformed(() => decodeBody(TSi, '01 000000 07 00 000f 0000 ffff 0a080000 0a0800'), /wanted 4 bytes, 3 left/);
  assertMalformed(() => decodeBody(TSi, '01 000000 08 00 0010 0000 ffff 0a080000 0a0800ff'), /wanted 16 bytes, 8 left/);
  assertMalformed(() => decodeBody(TSi, '01 000000 09 00 0003'), /wanted -1 bytes/);
});

it('wants the smallest first (§3.13.1), save that ports the other way round say OPAQUE', () => {
  assert.ok(decodeBody(TSi, '01 000000 07 00 0010 ffff 0000 0a080000 0a080000'));
  for (const ports of ['0051 0050', '0051 0000', 'ffff 0001'])
    assertMalformed(() => decodeBody(TSi, `01 000000 07 06 0010 ${ports} 0a080000 0a0800ff`), /end to start/);
  assertMalformed(() => decodeBody(TSi, '01 000000 07 06 0010 0000 ffff 0a080100 0a0800ff'), /end to start/);
});
