/** Traffic selectors as prefixes, and the way to the gateway outside the tunnel. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { nextHop, withoutDefault } from '../../../sidecar/client/outer-route.ts';
import { prefixesOf } from '../../../sidecar/client/prefixes.ts';
import { parseAddress } from '../../../sidecar/contract/address.ts';

const range = (start: string, end: string) => ({ start: bytes(start), end: bytes(end) });
function bytes(text: string): Uint8Array {
  const parsed = parseAddress(text);
  assert.ok(parsed);
  return parsed;
}

describe('a range of addresses', () => {
  for (const [start, end, expected] of [
    ['0.0.0.0', '255.255.255.255', ['0.0.0.0/0']],
    ['10.8.0.0', '10.8.0.255', ['10.8.0.0/24']],
    ['10.8.0.7', '10.8.0.7', ['10.8.0.7/32']],
    ['10.0.0.1', '10.0.0.6', ['10.0.0.1/32', '10.0.0.2/31', '10.0.0.4/31', '10.0.0.6/32']],
    ['::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', ['::/0']],
    ['2001:db8::', '2001:db8::ffff', ['2001:db8::/112']],
  ] as const) {
    it(`from ${start} to ${end} is ${expected.join(' ')}`, () => assert.deepEqual(prefixesOf(range(start, end)), expected));
  }

  it('becomes prefixes that hold as many addresses, none twice', () => {
    const addresses = fc.uint8Array({ minLength: 4, maxLength: 4 });
    const value = (address: Uint8Array): number => new DataView(address.buffer, address.byteOffset).getUint32(0);
    fc.assert(
      fc.property(addresses, addresses, (a, b) => {
        const [start, end] = value(a) <= value(b) ? [a, b] : [b, a];
        const sizes = prefixesOf({ start, end }).map((prefix) => 2 ** (32 - Number(prefix.split('/')[1])));
        assert.equal(
          sizes.reduce((sum, size) => sum + size, 0),
          value(end) - value(start) + 1,
        );
      }),
    );
  });
});

describe('the way to the gateway', () => {
  it('is read from what ip says', () => {
    assert.deepEqual(nextHop('198.51.100.1 via 192.0.2.254 dev eth0 src 192.0.2.1 uid 0 \n    cache \n'), [
      'via',
      '192.0.2.254',
      'dev',
      'eth0',
    ]);
    assert.deepEqual(nextHop('192.0.2.9 dev eth0 src 192.0.2.1 uid 0 \n    cache \n'), ['dev', 'eth0']);
    assert.equal(nextHop('local 127.0.0.1 dev lo src 127.0.0.1 uid 0 \n'), undefined);
  });

  it('stays the default route: the tunnel has the two halves', () => {
    assert.deepEqual(['0.0.0.0/0', '::/0', '10.0.0.0/8'].flatMap(withoutDefault), [
      '0.0.0.0/1',
      '128.0.0.0/1',
      '::/1',
      '8000::/1',
      '10.0.0.0/8',
    ]);
  });
});
