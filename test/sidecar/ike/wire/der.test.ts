/** DER: what is written is read back, one spelling only, and no bytes make it fail otherwise than as malformed. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ProtocolError } from '../../../../sidecar/ike/error.ts';
import { hex, unhex } from '../../../../sidecar/ike/wire/bytes.ts';
import { DerReader, encodeDer, soleElement, Tag } from '../../../../sidecar/ike/wire/der.ts';

const refuses = (digits: string): void => assert.throws(() => soleElement(unhex(digits), Tag.SEQUENCE), ProtocolError, digits);

describe('DER', () => {
  it('is read as it was written, whatever the length', () => {
    for (const length of [0, 1, 127, 128, 255, 256, 65_535, 65_536]) {
      const body = new Uint8Array(length).fill(7);
      const whole = encodeDer(Tag.OCTET_STRING, body);
      const reader = new DerReader(whole);
      const read = reader.element(Tag.OCTET_STRING);
      reader.end();
      assert.equal(hex(read.body), hex(body));
      assert.equal(read.whole.length, whole.length);
    }
  });

  it('has one spelling of a length (X.690 §10.1)', () => {
    for (const digits of [
      '308100',
      '30820001aa',
      '3080',
      '30820080',
      '30850000000000',
      '3084ffffffff',
      '30ff',
      '30',
      '',
      '1f8100',
      '3f0100',
    ])
      refuses(digits);
  });

  it('has no long length where a short one would do', () => {
    refuses(`30817f${'05'.repeat(127)}`);
    refuses(`308200ff${'05'.repeat(255)}`);
  });

  it('has nothing after it', () => refuses('300000'));

  it('is read of any bytes, or malformed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          const all = new DerReader(bytes).elements();
          assert.equal(
            all.reduce((sum, { whole }) => sum + whole.length, 0),
            bytes.length,
          );
        } catch (error) {
          assert.ok(error instanceof ProtocolError);
        }
      }),
    );
  });
});
