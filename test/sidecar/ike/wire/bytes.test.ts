import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import {
  concat,
  EMPTY,
  equalBytes,
  hex,
  Reader,
  text,
  u32Bytes,
  unhex,
  utf8,
  Writer,
} from '../../../../sidecar/ike/wire/bytes.ts';
import { blob } from '../../../harness/arbitrary-payload.ts';
import { assertMalformed } from './golden.ts';

it('reads back every number that it writes', () => {
  fc.assert(
    fc.property(fc.nat(0xff), fc.nat(0xffff), fc.nat(0xffff_ffff), blob(0, 600), (a, b, c, bytes) => {
      const reader = new Reader(new Writer(1).u8(a).u16(b).u32(c).bytes(bytes).finish());
      assert.deepEqual([reader.u8(), reader.u16(), reader.u32(), reader.rest()], [a, b, c, bytes]);
      reader.end();
    }),
  );
});

it('keeps the highest bit of a 32-bit number', () => {
  assert.equal(new Reader(Uint8Array.of(0xff, 0xff, 0xff, 0xff)).u32(), 0xffff_ffff);
  assert.deepEqual(u32Bytes(0x8000_0001), Uint8Array.of(0x80, 0, 0, 1));
});

it('never reads past the end, nor backwards', () => {
  const reader = new Reader(Uint8Array.of(1, 2, 3));
  for (const read of [() => reader.take(4), () => reader.take(-1), () => reader.u32(), () => reader.sub(4), () => reader.skip(4)])
    assertMalformed(read, /wanted -?\d+ bytes, [123] left/);
});

it('confines a nested structure to its length', () => {
  const reader = new Reader(Uint8Array.of(1, 2, 3));
  const inner = reader.sub(2);
  assertMalformed(() => inner.take(3), /wanted 3 bytes, 2 left/);
  assertMalformed(() => inner.end(), /2 trailing bytes/);
  assert.equal(reader.left, 1);
});

it('hands out plain Uint8Arrays whatever it was given', () => {
  assert.equal(new Reader(Buffer.from([1, 2])).take(1).constructor, Uint8Array);
});

it('refuses to write a number that does not fit its field', () => {
  const writes = [
    () => new Writer().u8(256),
    () => new Writer().u8(-1),
    () => new Writer().u16(0x1_0000),
    () => new Writer().u32(2 ** 32),
    () => new Writer().u8(1.5),
    () => new Writer().u8(0).u8(0).u16At(0, 0x1_0000),
  ];
  for (const write of writes) assert.throws(write, RangeError);
});

it('fills in a length that becomes known later', () => {
  const writer = new Writer().u8(7).u16(0).u8(9);
  writer.u16At(1, 0x0102);
  assert.deepEqual(writer.finish(), Uint8Array.of(7, 1, 2, 9));
});

it('hexadecimal digits and bytes are the same thing', () => {
  fc.assert(
    fc.property(blob(), (bytes) => {
      assert.equal(hex(bytes), Buffer.from(bytes).toString('hex'));
      assert.deepEqual(unhex(hex(bytes)), bytes);
      assert.deepEqual(unhex(hex(bytes).toUpperCase()), bytes);
    }),
  );
  for (const wrong of ['0', '0g', 'zz', '1 ', 'é0']) assert.throws(() => unhex(wrong), RangeError);
});

it('bytes are equal when their lengths and all of their values are', () => {
  fc.assert(
    fc.property(blob(0, 3), blob(0, 3), (a, b) => {
      assert.equal(equalBytes(a, b), Buffer.compare(a, b) === 0);
      assert.ok(equalBytes(a, Uint8Array.from(a)));
    }),
  );
  assert.equal(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1)), false);
});

it('joins bytes in order', () => {
  assert.deepEqual(concat(Uint8Array.of(1), EMPTY, Uint8Array.of(2, 3)), Uint8Array.of(1, 2, 3));
  assert.deepEqual(concat(), EMPTY);
});

it('reads UTF-8 exactly or not at all', () => {
  fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (string) => assert.equal(text(utf8(string)), string)));
  assert.equal(text(utf8('\ufeffmark')), '\ufeffmark');
  assertMalformed(() => text(Uint8Array.of(0xff)), /UTF-8/);
});
