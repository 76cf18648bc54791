import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { ProtocolError } from '../../../../sidecar/ike/error.ts';
import { hex } from '../../../../sidecar/ike/wire/bytes.ts';
import { decodeCbor, encodeCbor, type Plain } from '../../../../sidecar/ike/wire/cbor.ts';
import { blob } from '../../../harness/arbitrary-payload.ts';
import { assertMalformed, octets } from './golden.ts';

const leaf: fc.Arbitrary<Plain> = fc.oneof(
  fc.constantFrom(
    null,
    undefined,
    true,
    false,
    Number.POSITIVE_INFINITY,
    Number.MAX_SAFE_INTEGER,
    Number.MIN_SAFE_INTEGER,
    2 ** 60,
  ),
  fc.integer(),
  fc.double({ noNaN: true }).filter((number) => !Object.is(number, -0)),
  fc.string({ unit: 'grapheme' }),
  blob(),
);
const { plain } = fc.letrec<{ plain: Plain }>((tie) => ({
  plain: fc.oneof(
    { depthSize: 'small' },
    leaf,
    fc.array(tie('plain'), { maxLength: 5 }),
    fc.dictionary(fc.oneof(fc.string({ unit: 'grapheme' }), fc.constant('__proto__')), tie('plain'), {
      maxKeys: 5,
      noNullPrototype: true,
    }),
  ),
}));

it('decoding what was encoded gives the same value', () => {
  fc.assert(fc.property(plain, (value) => assert.deepEqual(decodeCbor(encodeCbor(value)), value)));
});

it('keeps a key whose value is undefined', () => {
  assert.deepEqual(Object.keys(decodeCbor(encodeCbor({ ticketId: undefined })) as object), ['ticketId']);
});

it('takes Buffers and gives plain Uint8Arrays', () => {
  const decoded = decodeCbor(Buffer.from(encodeCbor({ key: Buffer.from('secret') }))) as { key: Uint8Array };
  assert.deepEqual(decoded, { key: new Uint8Array(Buffer.from('secret')) });
  assert.equal(encodeCbor({}).constructor, Uint8Array);
});

it('gives bytes of its own: what was sealed may be wiped', () => {
  const bytes = encodeCbor({ key: Uint8Array.of(1, 2, 3) });
  const decoded = decodeCbor(bytes);
  bytes.fill(0);
  assert.deepEqual(decoded, { key: Uint8Array.of(1, 2, 3) });
});

it('does not depend on the order in which an object was built', () => {
  assert.equal(hex(encodeCbor({ b: 1, a: 2, aa: 3 })), hex(encodeCbor({ aa: 3, a: 2, b: 1 })));
});

it('takes an interface as it is, and nothing that is not data', () => {
  interface Path {
    readonly local: string;
    readonly remote?: string;
  }
  const path: Path = { local: '192.0.2.1:500' };
  assert.deepEqual(decodeCbor(encodeCbor(path)), path);
  // @ts-expect-error a function
  assert.throws(() => encodeCbor({ later: () => 1 }));
  // @ts-expect-error a class instance
  assert.ok(encodeCbor(new Map()));
  // @ts-expect-error an integer that is no number
  assert.ok(encodeCbor({ big: 1n }));
  assert.throws(() => encodeCbor(Number.NaN), RangeError);
});

it('any bytes are a value or a ProtocolError', () => {
  fc.assert(
    fc.property(blob(0, 30), (bytes) => {
      try {
        decodeCbor(bytes);
      } catch (error) {
        assert.ok(error instanceof ProtocolError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

const refused: Readonly<Record<string, string>> = {
  'nothing at all': '',
  'something after the value': '0101',
  'an array that ends early': '8201',
  'a map that ends early': 'a16161',
  'a text that ends early': '6261',
  'a length beyond what there is': '9bffffffffffffffff',
  'text that is not UTF-8': '61ff',
  'a number longer than it needs to be': '1801',
  'an integer as a float': 'f93c00',
  NaN: 'f97e00',
  'an integer that no number can hold': '1bffffffffffffffff',
  'an indefinite length': '9fff',
  'a key twice': 'a2616101616102',
  'keys in another order': 'a2616201616102',
  'a key that is no text': 'a10102',
  'a tag': 'c101',
  'a simple value': 'f820',
};
for (const [what, bytes] of Object.entries(refused))
  it(`refuses ${what}`, () => assertMalformed(() => decodeCbor(octets(bytes)), /CBOR/));

it('refuses what nests deeper than any state, without using the stack', () => {
  const nested = (depth: number) => octets(`${'81'.repeat(depth)}00`);
  assert.ok(decodeCbor(nested(32)));
  assertMalformed(() => decodeCbor(nested(33)), /CBOR/);
  assertMalformed(() => decodeCbor(nested(60_000)), /CBOR/);
  const wide = encodeCbor(Array.from({ length: 100 }, () => [[], {}, [1, [2]]]));
  assert.ok(decodeCbor(wide), 'wide is not deep');
});
