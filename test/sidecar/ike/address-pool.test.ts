import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { AddressPool } from '../../../sidecar/ike/address-pool.ts';
import { formatAddress, parseAddress } from '../../../sidecar/ike/ip-address.ts';

const nothingInUse = (): boolean => false;

/** Everything that a slice gives, in order. */
function drain(pool: AddressPool): string[] {
  const all: string[] = [];
  for (let address = pool.take(nothingInUse); address; address = pool.take(nothingInUse)) all.push(formatAddress(address));
  return all;
}

it('never gives the network, the gateway or the broadcast address', () => {
  assert.deepEqual(drain(new AddressPool('10.8.0.0/29', 1, 0, 0)), ['10.8.0.2', '10.8.0.3', '10.8.0.4', '10.8.0.5', '10.8.0.6']);
  assert.equal(formatAddress(new AddressPool('10.8.0.0/29', 1, 0, 0).gateway ?? Uint8Array.of()), '10.8.0.1');
});

it('IPv6 has no broadcast address, but a first one that is not given either', () => {
  assert.deepEqual(drain(new AddressPool('2001:db8::/126', 1, 0, 0)), ['2001:db8::2', '2001:db8::3']);
});

it('takes the host bits of a prefix for nothing', () => {
  assert.deepEqual(drain(new AddressPool('10.8.0.77/30', 1, 0, 0)), ['10.8.0.78']);
});

for (const cidr of ['10.8.0.0/31', '10.8.0.0/32', '2001:db8::/127', '2001:db8::/128']) {
  it(`has nothing to give of ${cidr}`, () => {
    assert.deepEqual(drain(new AddressPool(cidr, 1, 0, 0)), []);
    assert.equal(new AddressPool(cidr, 1, 0, 0).ordinalOf(parseAddress(cidr.split('/')[0] ?? '')), undefined);
  });
}

it('gives nothing without an ordinal, or with one beyond the slices', () => {
  assert.deepEqual(drain(new AddressPool('10.8.0.0/24', 4, undefined, 0)), []);
  assert.deepEqual(drain(new AddressPool('10.8.0.0/24', 4, 4, 0)), []);
});

it('leaves over what does not divide among the slices', () => {
  assert.deepEqual(drain(new AddressPool('10.8.0.0/29', 3, 2, 0)), ['10.8.0.4', '10.8.0.5']);
  assert.deepEqual(drain(new AddressPool('10.8.0.0/29', 3, 3, 0)), []);
  assert.equal(new AddressPool('10.8.0.0/29', 3, 2, 0).ordinalOf(parseAddress('10.8.0.6')), undefined);
});

it('begins where it is told and comes round', () => {
  assert.deepEqual(drain(new AddressPool('10.8.0.0/29', 1, 0, 13)), ['10.8.0.5', '10.8.0.6', '10.8.0.2', '10.8.0.3', '10.8.0.4']);
});

it('gives again what was given back, and passes over what is in use', () => {
  const pool = new AddressPool('10.8.0.0/29', 1, 0, 0);
  const [first, second] = [pool.take(nothingInUse), pool.take(nothingInUse)];
  assert.ok(first && second);
  pool.giveBack(second);
  pool.giveBack(second);
  assert.deepEqual(pool.take(nothingInUse), second);
  assert.deepEqual(formatAddress(pool.take((address) => address.at(-1) === 4) ?? first), '10.8.0.5');
  pool.giveBack(first);
  assert.notDeepEqual(
    pool.take((address) => formatAddress(address) === '10.8.0.2'),
    first,
  );
});

it('takes back nothing that is not of its slice', () => {
  const pool = new AddressPool('10.8.0.0/29', 2, 1, 0);
  for (const address of ['10.8.0.1', '10.8.0.2', '10.8.0.7', '10.9.0.5', '2001:db8::5']) pool.giveBack(parseAddress(address));
  assert.deepEqual(drain(pool), ['10.8.0.4', '10.8.0.5', '10.8.0.6']);
});

it('slices are of one size and cover the pool, each address in one of them', () => {
  const sizes = fc.record({
    bits: fc.integer({ min: 22, max: 32 }),
    slices: fc.integer({ min: 1, max: 9 }),
    start: fc.nat(1000),
  });
  fc.assert(
    fc.property(sizes, ({ bits, slices, start }) => {
      const pools = Array.from({ length: slices }, (_, ordinal) => new AddressPool(`10.8.0.0/${bits}`, slices, ordinal, start));
      const given = pools.map(drain);
      given.forEach((all, ordinal) => {
        assert.equal(all.length, pools[ordinal]?.size);
        for (const address of all) assert.equal(pools[0]?.ordinalOf(parseAddress(address)), ordinal);
      });
      const count = given.flat().length;
      assert.equal(new Set(given.flat()).size, count, 'no address twice');
      const all = 2 ** (32 - bits);
      assert.ok(count <= Math.max(0, all - 3) && count >= all - 3 - (all % slices), `${count} of ${all}`);
    }),
    { numRuns: 60 },
  );
});

it('a large IPv6 pool is split too, and remembers nothing but what came back', () => {
  for (const [cidr, slices] of [
    ['2001:db8::/64', 7],
    ['fd00::/8', 254],
    ['2001:db8:0:0:ffff:ffff:ffff:0/112', 3],
  ] as const) {
    const pools = [0, 1, slices - 1].map((ordinal) => new AddressPool(cidr, slices, ordinal, 0xffff_ffff));
    for (const [at, pool] of pools.entries()) {
      const address = pool.take(nothingInUse);
      assert.ok(address && address.length === 16);
      assert.equal(pool.ordinalOf(address), [0, 1, slices - 1][at]);
      assert.deepEqual(pool.ordinalOf(address), pools[0]?.ordinalOf(address));
    }
  }
});

it('knows no address of elsewhere', () => {
  const small = new AddressPool('10.8.0.0/29', 1, 0, 0);
  for (const address of ['10.8.0.0', '10.8.0.1', '10.8.0.7', '10.8.0.8', '10.7.255.255']) {
    assert.equal(small.ordinalOf(parseAddress(address)), undefined, address);
  }
  const pool = new AddressPool('2001:db8::/64', 2, 0, 0);
  for (const address of ['2001:db8:0:1::5', '2001:db7:ffff:ffff:ffff:ffff:ffff:ffff', '10.8.0.5', '2001:db8::', '2001:db8::1']) {
    assert.equal(pool.ordinalOf(parseAddress(address)), undefined, address);
  }
  assert.equal(pool.ordinalOf(parseAddress('2001:db8::ffff:ffff:ffff:0')), undefined, 'beyond what is given of so large a pool');
});
