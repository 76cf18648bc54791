import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { ProtocolError } from '../../../sidecar/ike/error.ts';
import { decodeSa, encodeSa, SA_VERSION } from '../../../sidecar/ike/sa-encoding.ts';
import { concat } from '../../../sidecar/ike/wire/bytes.ts';
import { encodeCbor } from '../../../sidecar/ike/wire/cbor.ts';
import { phaseNames, saIn } from './arbitrary-sa.ts';

const malformed = (error: unknown): boolean => error instanceof ProtocolError && error.verdict === 'drop';

for (const name of phaseNames) {
  it(`an SA in phase ${name} is the same after it was encoded and decoded`, () => {
    fc.assert(
      fc.property(saIn(name), (sa) => assert.deepEqual(decodeSa(encodeSa(sa)), sa)),
      { numRuns: 40 },
    );
  });
}

it('an SA has one encoding', () => {
  fc.assert(
    fc.property(saIn('halfOpen', 'established'), (sa) => assert.deepEqual(encodeSa(decodeSa(encodeSa(sa))), encodeSa(sa))),
    { numRuns: 40 },
  );
});

it('an SA of another version is refused, by its first byte', () => {
  fc.assert(
    fc.property(saIn('halfOpen'), (sa) => {
      const other = encodeSa(sa).slice();
      other[0] = SA_VERSION + 1;
      assert.throws(() => decodeSa(other), malformed);
    }),
    { numRuns: 5 },
  );
});

it('what is no SA is refused', () => {
  for (const value of [null, [], 'role', {}, { role: 'responder', spiI: '', spiR: '', window: {} }]) {
    assert.throws(() => decodeSa(concat(Uint8Array.of(SA_VERSION), encodeCbor(value))), malformed);
  }
  assert.throws(() => decodeSa(new Uint8Array()), malformed);
});

it('any bytes are an SA or malformed', () => {
  fc.assert(
    fc.property(saIn('halfOpen'), fc.nat(), fc.nat(255), (sa, at, byte) => {
      const changed = encodeSa(sa).slice();
      changed[at % changed.length] = byte;
      try {
        decodeSa(changed);
      } catch (error) {
        assert.ok(malformed(error), String(error));
      }
    }),
    { numRuns: 200 },
  );
});
