import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Selector } from '../../../sidecar/contract/dataplane.ts';
import {
  addressSelector,
  contains,
  everything,
  formatAddress,
  MAX_SELECTORS,
  narrow,
  parseAddress,
  prefixSelector,
} from '../../../sidecar/ike/traffic.ts';
import { unhex } from '../../../sidecar/ike/wire/bytes.ts';

const written = (selectors: readonly Selector[]): string[] =>
  selectors.map(({ protocol, startPort, endPort, start, end }) =>
    [protocol, `${startPort}-${endPort}`, `${formatAddress(start)}-${formatAddress(end)}`].join(' '),
  );

describe('selectors', () => {
  it('are made of prefixes and addresses', () => {
    assert.deepEqual(written([prefixSelector('10.8.0.0/16')]), ['0 0-65535 10.8.0.0-10.8.255.255']);
    assert.deepEqual(written([addressSelector(parseAddress('2001:db8::7'))]), ['0 0-65535 2001:db8::7-2001:db8::7']);
    assert.deepEqual(written([everything(4)]), ['0 0-65535 0.0.0.0-255.255.255.255']);
    assert.equal(everything(6).end.length, 16);
  });
});

describe('narrowing', () => {
  it('gives the common part, in the order of the request', () => {
    const requested = [
      { ...addressSelector(parseAddress('192.0.2.7')), protocol: 17, startPort: 53, endPort: 53 },
      everything(4),
      everything(6),
    ];
    const allowed = [prefixSelector('10.0.0.0/8'), prefixSelector('192.0.2.0/24'), prefixSelector('2001:db8::/32')];
    assert.deepEqual(written(narrow(requested, allowed)), [
      '17 53-53 192.0.2.7-192.0.2.7',
      '0 0-65535 10.0.0.0-10.255.255.255',
      '0 0-65535 192.0.2.0-192.0.2.255',
      '0 0-65535 2001:db8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff',
    ]);
  });

  it('takes the narrower protocol and ports of either side', () => {
    const tcp = { ...everything(4), protocol: 6 };
    const web = { ...everything(4), startPort: 80, endPort: 443 };
    assert.deepEqual(written(narrow([tcp], [web])), ['6 80-443 0.0.0.0-255.255.255.255']);
    assert.deepEqual(written(narrow([web], [{ ...tcp, startPort: 400, endPort: 500 }])), ['6 400-443 0.0.0.0-255.255.255.255']);
  });

  const disjoint: Record<string, [Selector, Selector]> = {
    families: [everything(4), everything(6)],
    protocols: [
      { ...everything(4), protocol: 6 },
      { ...everything(4), protocol: 17 },
    ],
    ports: [
      { ...everything(4), startPort: 1, endPort: 5 },
      { ...everything(4), startPort: 6, endPort: 9 },
    ],
    addresses: [prefixSelector('10.0.0.0/9'), prefixSelector('10.128.0.0/9')],
    'a range of ports and OPAQUE': [
      { ...everything(4), startPort: 1, endPort: 65535 },
      { ...everything(4), startPort: 65535, endPort: 0 },
    ],
  };
  for (const [what, [left, right]] of Object.entries(disjoint)) {
    it(`finds nothing in common where ${what} differ`, () => {
      assert.deepEqual(narrow([left], [right]), []);
      assert.deepEqual(narrow([right], [left]), []);
    });
  }

  it('counts OPAQUE among all ports', () => {
    const opaque = { ...everything(4), startPort: 65535, endPort: 0 };
    assert.deepEqual(narrow([opaque], [everything(4)]), [opaque]);
    assert.deepEqual(narrow([everything(4)], [opaque]), [opaque]);
    assert.deepEqual(narrow([opaque], [opaque]), [opaque]);
  });

  it('is bounded', () => {
    const many = Array.from({ length: 40 }, (_, index) => addressSelector(Uint8Array.of(10, 0, 0, index)));
    assert.equal(narrow(many, [everything(4)]).length, MAX_SELECTORS);
    assert.deepEqual(narrow(many, [everything(4)]), many.slice(0, MAX_SELECTORS));
  });
});

/** A small world, so that selectors meet. */
const range = (max: number): fc.Arbitrary<[number, number]> =>
  fc.tuple(fc.nat(max), fc.nat(max)).map(([a, b]) => (a <= b ? [a, b] : [b, a]));
const selector: fc.Arbitrary<Selector> = fc
  .record({
    protocol: fc.constantFrom(0, 6, 17),
    ports: fc.oneof(range(5), fc.constantFrom<[number, number]>([0, 0xffff], [0xffff, 0])),
    addresses: range(300),
    high: fc.constantFrom('0a00', '20010db8000000000000000000000000'.slice(0, 28)),
  })
  .map(({ protocol, ports: [startPort, endPort], addresses: [from, to], high }) => {
    const address = (low: number) => unhex(high + low.toString(16).padStart(4, '0'));
    return { protocol, startPort, endPort, start: address(from), end: address(to) };
  });
const selectors = fc.array(selector, { minLength: 1, maxLength: 4 });

/** `port` undefined: a packet that shows none. */
interface Packet {
  readonly address: Uint8Array;
  readonly protocol: number;
  readonly port: number | undefined;
}
function covers(one: Selector, { address, protocol, port }: Packet): boolean {
  const all = one.startPort === 0 && one.endPort === 0xffff;
  const opaque = one.startPort === 0xffff && one.endPort === 0;
  const fitsPort = all || (port === undefined ? opaque : one.startPort <= port && port <= one.endPort);
  const inside = Buffer.compare(one.start, address) <= 0 && Buffer.compare(address, one.end) <= 0;
  return one.start.length === address.length && inside && fitsPort && (one.protocol === 0 || one.protocol === protocol);
}
const packet: fc.Arbitrary<Packet> = fc
  .tuple(selector, fc.constantFrom(6, 17), fc.constantFrom(undefined, 0, 1, 2, 3, 4, 5, 6), fc.nat(300))
  .map(([{ start }, protocol, port, low]) => ({
    address: Uint8Array.from([...start.subarray(0, -2), low >> 8, low & 255]),
    protocol,
    port,
  }));

describe('laws of narrowing', () => {
  it('a packet passes exactly when both sides let it pass', () => {
    fc.assert(
      fc.property(selectors, selectors, packet, (requested, allowed, one) => {
        const passes = (list: readonly Selector[]): boolean => list.some((each) => covers(each, one));
        assert.equal(passes(narrow(requested, allowed)), passes(requested) && passes(allowed));
      }),
      { numRuns: 500 },
    );
  });

  it('the result is in both, has no duplicates, and narrows no further', () => {
    fc.assert(
      fc.property(selectors, selectors, (requested, allowed) => {
        const result = narrow(requested, allowed);
        assert.ok(result.every((one) => contains(requested, one) && contains(allowed, one)));
        assert.equal(new Set(written(result)).size, result.length);
        assert.ok(narrow(result, allowed).every((one) => contains(result, one)));
      }),
    );
  });

  it('a selector contains itself, and its parts only', () => {
    fc.assert(
      fc.property(selector, selector, packet, (outer, inner, one) => {
        assert.ok(contains([outer], outer));
        if (contains([outer], inner) && covers(inner, one)) assert.ok(covers(outer, one));
      }),
    );
  });
});
