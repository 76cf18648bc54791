/** Names as text for logs (RFC 4514), whatever a stranger has written into them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ProtocolError } from '../../../../sidecar/ike/error.ts';
import { formatName, nameKey } from '../../../../sidecar/ike/pki/name.ts';
import { dotted } from '../../../../sidecar/ike/pki/object-identifier.ts';
import { unhex } from '../../../../sidecar/ike/wire/bytes.ts';
import { nameBytes } from '../../../harness/certificate-authority.ts';

const shown = (name: string): string => formatName(nameBytes(name));

describe('a name as text', () => {
  it('has the most general part last', () => {
    assert.equal(shown('CN=alice,OU=Staff,O=Example,C=DE'), 'CN=alice,OU=Staff,O=Example,C=DE');
    assert.equal(shown('CN=host,DC=example,DC=com'), 'CN=host,DC=example,DC=com');
    assert.equal(shown(''), '');
  });

  it('escapes what would read as another name (RFC 4514 §2.4)', () => {
    assert.equal(shown('CN=a+b;c<d>e"f\\g=h'), 'CN=a\\+b\\;c\\<d\\>e\\"f\\\\g\\=h');
    assert.equal(shown('CN=#x '), 'CN=\\#x\\ ');
  });

  it('shows unknown types and values that are no text in hexadecimal', () => {
    assert.equal(shown('1.2.840.113549.1.9.99=x'), '1.2.840.113549.1.9.99=#0c0178');
    assert.equal(formatName(unhex('300e310c300a06035504030403616263')), '2.5.4.3=#0403616263');
    assert.equal(formatName(unhex('300c310a300806035504030c01ff')), '2.5.4.3=#0c01ff');
  });

  it('shows no character that cannot be seen or turns the line around, and stays short', () => {
    assert.equal(shown('CN=a\nb\u202ec\u0000'), 'CN=a\\0ab\\e2\\80\\aec\\00');
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (text) => {
        const plain = text.replaceAll(/[,=]/g, '');
        if (plain === '' || !plain.isWellFormed()) return;
        const line = shown(`CN=${plain}`);
        assert.doesNotMatch(line, /[\p{C}\p{Zl}\p{Zp}]/u);
        assert.ok(line.length < 310);
      }),
    );
  });

  it('comes of any bytes that are a name at all', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }), (changes) => {
        const bytes = nameBytes('CN=alice,O=Example');
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        try {
          nameKey(bytes);
        } catch (error) {
          assert.ok(error instanceof ProtocolError);
          return;
        }
        assert.doesNotMatch(formatName(bytes), /[\p{C}\p{Zl}\p{Zp}]/u);
      }),
    );
  });
});

describe('an object identifier as text', () => {
  it('is dotted, and hexadecimal where a number is too large', () => {
    assert.equal(dotted(unhex('2a864886f70d010101')), '1.2.840.113549.1.1.1');
    assert.equal(dotted(unhex('8837')), '2.999');
    assert.equal(dotted(unhex(`2a${'ff'.repeat(20)}7f`)), `2a${'ff'.repeat(20)}7f`);
  });
});
