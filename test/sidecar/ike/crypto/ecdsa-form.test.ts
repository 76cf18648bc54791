/** r | s of RFC 4754 and DER, one into the other. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { derOfEcdsa, ecdsaMethods, rawOfEcdsa } from '../../../../sidecar/ike/crypto/ecdsa-form.ts';
import { hex, unhex } from '../../../../sidecar/ike/wire/bytes.ts';

const methods = Object.values(ecdsaMethods);

describe('ECDSA signatures as r | s (RFC 4754 §7)', () => {
  it('go to DER and back, zeros in front of a number and a high first bit included', () => {
    for (const method of methods) {
      const number = fc.oneof(
        fc.uint8Array({ minLength: method.length, maxLength: method.length }),
        fc.nat(255).map((last) => Uint8Array.from({ length: method.length }, (_, at) => (at === method.length - 1 ? last : 0))),
      );
      fc.assert(
        fc.property(number, number, (r, s) => {
          const raw = Uint8Array.from([...r, ...s]);
          const der = derOfEcdsa(method, raw);
          assert.ok(der);
          assert.deepEqual(rawOfEcdsa(method, der), raw);
        }),
      );
    }
  });

  it('become the shortest DER', () => {
    const raw = unhex(`${'00'.repeat(31)}01${'00'.repeat(30)}8001`);
    assert.equal(hex(derOfEcdsa(ecdsaMethods[9], raw) ?? new Uint8Array()), '300802010102030080'.concat('01'));
  });

  it('have exactly the length of their method', () => {
    for (const method of methods)
      for (const length of [0, 1, 2 * method.length - 1, 2 * method.length + 1, 200])
        assert.equal(derOfEcdsa(method, new Uint8Array(length).fill(1)), undefined);
    assert.deepEqual(
      methods.map(({ length }) => 2 * length),
      [64, 96, 132],
    );
  });
});
