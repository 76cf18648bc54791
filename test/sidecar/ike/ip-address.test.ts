import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { it } from 'node:test';
import fc from 'fast-check';
import { formatAddress, parseAddress, parsePrefix, prefixRange } from '../../../sidecar/ike/ip-address.ts';
import { hex, unhex } from '../../../sidecar/ike/wire/bytes.ts';

const address = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }),
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
  // Groups of zeros are what the canonical spelling is about.
  fc.array(fc.constantFrom('0000', '0001', 'abcd'), { minLength: 8, maxLength: 8 }).map((groups) => unhex(groups.join(''))),
);

it('an address that was written is read as the same address', () => {
  fc.assert(fc.property(address, (bytes) => assert.deepEqual(parseAddress(formatAddress(bytes)), bytes)));
});

/** RFC 5952 §4.1–§4.3, and an implementation that is not ours. */
it('IPv6 is written as browsers write it', () => {
  fc.assert(
    fc.property(address, (bytes) => {
      if (bytes.length === 16) assert.equal(new URL(`http://[${formatAddress(bytes)}]/`).hostname, `[${formatAddress(bytes)}]`);
    }),
  );
});

const spellings: Record<string, string> = {
  '192.0.2.1': 'c0000201',
  '0.0.0.0': '00000000',
  '::': '0'.repeat(32),
  '::1': '00000000000000000000000000000001',
  '2001:DB8::1': '20010db8000000000000000000000001',
  '2001:db8:0:0:1::1': '20010db8000000000001000000000001',
  '1:2:3:4:5:6:7:8': '00010002000300040005000600070008',
  '1::3:4:5:6:7:8': '00010000000300040005000600070008',
  '2001:db8::': '20010db8000000000000000000000000',
  '::ffff:192.0.2.1': '00000000000000000000ffffc0000201',
};
for (const [spelled, bytes] of Object.entries(spellings)) {
  it(`reads ${spelled}`, () => assert.equal(hex(parseAddress(spelled)), bytes));
}

it('writes the first of two equally long runs of zeros short', () => {
  assert.equal(formatAddress(parseAddress('2001:db8:0:0:1:0:0:1')), '2001:db8::1:0:0:1');
  assert.equal(formatAddress(parseAddress('2001:0:0:1:0:0:0:1')), '2001:0:0:1::1');
  assert.equal(formatAddress(parseAddress('2001:db8:0:1:1:1:1:1')), '2001:db8:0:1:1:1:1:1');
});

for (const text of [
  '',
  '1.2.3',
  '1.2.3.256',
  '01.2.3.4',
  '1.2.3.4.5',
  ':',
  ':::',
  '1::2::3',
  '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:9',
]) {
  it(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseAddress(text), RangeError));
}
for (const text of ['1:2:3:4:5:6:7::8', '12345::', 'g::', '1.2.3.4::', '::1.2.3', 'fe80::1%eth0', ' ::1', '::ffff:1.2.3.4:5']) {
  it(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseAddress(text), RangeError));
}

it('agrees with node about what an address is', () => {
  const text = fc.oneof(
    fc.string({ unit: fc.constantFrom(...'0123456789abcf:.'), maxLength: 20 }),
    fc.array(fc.constantFrom('0', '1', 'ffff', '', '10.0.0.1'), { maxLength: 9 }).map((groups) => groups.join(':')),
  );
  fc.assert(
    fc.property(text, (candidate) => {
      if (isIP(candidate) === 0) assert.throws(() => parseAddress(candidate), RangeError);
      else assert.equal(parseAddress(candidate).length, isIP(candidate) === 4 ? 4 : 16);
    }),
    { numRuns: 1000 },
  );
});

it('reads prefixes and refuses what is none', () => {
  assert.deepEqual(parsePrefix('10.8.0.0/24'), { bytes: unhex('0a080000'), length: 24 });
  for (const text of ['10.8.0.0', '10.8.0.0/33', '::/129', '10.8.0.0/', '/24', '10.8.0.0/2a', '10.8.0.0/1/2']) {
    assert.throws(() => parsePrefix(text), RangeError, text);
  }
});

it('knows the first and the last address of a prefix', () => {
  const range = (cidr: string) => Object.values(prefixRange(parsePrefix(cidr))).map(formatAddress);
  assert.deepEqual(range('10.8.77.5/20'), ['10.8.64.0', '10.8.79.255']);
  assert.deepEqual(range('192.0.2.1/32'), ['192.0.2.1', '192.0.2.1']);
  assert.deepEqual(range('0.0.0.0/0'), ['0.0.0.0', '255.255.255.255']);
  assert.deepEqual(range('2001:db8::/61'), ['2001:db8::', '2001:db8:0:7:ffff:ffff:ffff:ffff']);
});
