/** Times of certificates (RFC 5280 §4.1.2.5): two spellings, and no others that DER forbids. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ProtocolError } from '../../../../sidecar/ike/error.ts';
import { readTime } from '../../../../sidecar/ike/pki/time.ts';
import { utf8 } from '../../../../sidecar/ike/wire/bytes.ts';
import { Tag } from '../../../../sidecar/ike/wire/der.ts';

const read = (text: string, tag: number = text.length === 13 ? Tag.UTC_TIME : Tag.GENERALIZED_TIME): string =>
  new Date(readTime({ tag, body: utf8(text), whole: new Uint8Array() })).toISOString();

describe('a time', () => {
  it('of two digits is between 1950 and 2049 (RFC 5280 §4.1.2.5.1)', () => {
    assert.equal(read('491231235959Z'), '2049-12-31T23:59:59.000Z');
    assert.equal(read('500101000000Z'), '1950-01-01T00:00:00.000Z');
    assert.equal(read('000229120000Z'), '2000-02-29T12:00:00.000Z');
  });

  it('of four digits is any year', () => {
    assert.equal(read('20500101000000Z'), '2050-01-01T00:00:00.000Z');
    assert.equal(read('99991231235959Z'), '9999-12-31T23:59:59.000Z');
  });

  it('has seconds, is in UTC, and is a day of the calendar', () => {
    for (const bad of ['3001010000Z', '300101000000', '300101000000+0100', '20300101000000.5Z', '2030010100Z', ''])
      for (const tag of [Tag.UTC_TIME, Tag.GENERALIZED_TIME]) assert.throws(() => read(bad, tag), ProtocolError, bad);
    for (const bad of [
      '300229000000Z',
      '301301000000Z',
      '300132000000Z',
      '300101240000Z',
      '300101006000Z',
      '300101000060Z',
      '300001000000Z',
    ])
      assert.throws(() => read(bad), ProtocolError, bad);
    assert.throws(() => read('300101000000Z', Tag.GENERALIZED_TIME), ProtocolError);
    assert.throws(() => read('20300101000000Z', Tag.UTC_TIME), ProtocolError);
    assert.throws(() => read('300101000000Z', Tag.OCTET_STRING), ProtocolError);
  });

  it('of any bytes is one or malformed', () => {
    fc.assert(
      fc.property(fc.constantFrom(Tag.UTC_TIME, Tag.GENERALIZED_TIME), fc.uint8Array({ maxLength: 20 }), (tag, body) => {
        assert.throws(() => readTime({ tag, body, whole: body }), ProtocolError);
      }),
    );
  });
});
