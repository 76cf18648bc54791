/** Identities, addresses, prefixes and spans of time as text. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatAddress, network, overlap, parseAddress, parsePrefix } from '../../../sidecar/contract/address.ts';
import { formatDuration, parseDuration } from '../../../sidecar/contract/duration.ts';
import { formatIdentity, parseIdentity } from '../../../sidecar/contract/identity.ts';

describe('an identity', () => {
  it('has its type from its form', () => {
    const types = {
      '192.0.2.1': 1,
      'vpn.example.com': 2,
      'alice@example.com': 3,
      '2001:db8::1': 5,
      'keyid:00ff': 11,
      'id:9:3000': 9,
    };
    for (const [text, idType] of Object.entries(types)) {
      assert.equal(parseIdentity(text).idType, idType, text);
      assert.equal(formatIdentity(parseIdentity(text)), text);
    }
  });

  it('of any type and any bytes is written so that it is read back, in visible ASCII', () => {
    const data = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc.string().map((text) => new TextEncoder().encode(text)),
    );
    fc.assert(
      fc.property(fc.oneof(fc.constantFrom(1, 2, 3, 5, 11), fc.nat(255)), data, (idType, bytes) => {
        const text = formatIdentity({ idType, data: bytes });
        assert.match(text, /^[!-~]+$/);
        const { idType: backType, data: back } = parseIdentity(text);
        assert.deepEqual([backType, ...back], [idType, ...bytes]);
      }),
    );
  });

  it('of one type is never written like that of another', () => {
    assert.equal(
      formatIdentity({ idType: 2, data: new TextEncoder().encode('192.0.2.1') }),
      `id:2:${Buffer.from('192.0.2.1').toString('hex')}`,
    );
  });

  it('that cannot be one is refused with the ways to write it', () => {
    for (const text of ['', ' ', '10.0.0', '10.0.0.256', 'a b', 'alice@', 'keyid:', 'keyid:0', 'id:256:00', 'ä@b', 'a..b']) {
      assert.throws(
        () => parseIdentity(text),
        /^RangeError: not an identity: .*; write an address, a domain name, user@domain/,
        text,
      );
    }
  });
});

describe('an address', () => {
  it('is written as RFC 5952 wants it', () => {
    const pairs = {
      '2001:0DB8:0:0:1:0:0:1': '2001:db8::1:0:0:1',
      '::': '::',
      '1::': '1::',
      '::1': '::1',
      '::ffff:192.0.2.1': '::ffff:c000:201',
      '2001:db8:0:1:1:1:1:1': '2001:db8:0:1:1:1:1:1',
    };
    for (const [given, written] of Object.entries(pairs)) assert.equal(formatAddress(parseAddress(given)!), written);
  });

  it('comes back from its text', () => {
    const bytes = fc
      .constantFrom(4, 16)
      .chain((n) => fc.array(fc.oneof(fc.constant(0), fc.nat(255)), { minLength: n, maxLength: n }));
    fc.assert(fc.property(bytes, (list) => assert.deepEqual([...parseAddress(formatAddress(Uint8Array.from(list)))!], list)));
  });

  it('is nothing else', () => {
    for (const text of [
      '',
      '1',
      '1.2.3',
      '01.2.3.4',
      '1.2.3.4.5',
      ':',
      ':::',
      '1::2::3',
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8:9',
      'fe80::1%eth0',
      '12345::',
    ]) {
      assert.equal(parseAddress(text), undefined, text);
    }
  });

  it('in a prefix has a length that fits it', () => {
    for (const text of ['10.0.0.0', '10.0.0.0/33', '::/129', '10.0.0.0/08', '10.0.0.0/-1', '/8'])
      assert.equal(parsePrefix(text), undefined, text);
    assert.deepEqual(formatAddress(network(parsePrefix('10.255.255.255/9')!)), '10.128.0.0');
    assert.equal(overlap(parsePrefix('10.0.0.0/8')!, parsePrefix('10.9.0.0/16')!), true);
    assert.equal(overlap(parsePrefix('10.0.0.0/16')!, parsePrefix('10.1.0.0/16')!), false);
    assert.equal(overlap(parsePrefix('0.0.0.0/0')!, parsePrefix('::/0')!), false);
  });
});

describe('a span of time', () => {
  it('comes back from its text', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 10 ** 11 }), (ms) => assert.equal(parseDuration(formatDuration(ms)), ms)));
  });

  it('is written in the largest unit that divides it', () => {
    assert.deepEqual([0, 1, 1_500, 30_000, 90_000, 3_600_000].map(formatDuration), ['0s', '1ms', '1500ms', '30s', '90s', '1h']);
  });
});
