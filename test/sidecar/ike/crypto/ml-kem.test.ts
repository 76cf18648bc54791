/** ML-KEM (FIPS 203) against Wycheproof, under either provider, and what the two sides of an encapsulation make of each other. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Cryptography, KeyExchange } from '../../../../sidecar/ike/crypto/cryptography.ts';
import { ProtocolError } from '../../../../sidecar/ike/error.ts';
import { hex, unhex } from '../../../../sidecar/ike/wire/bytes.ts';
import { Ke } from '../../../../sidecar/ike/wire/registry.ts';
import { seeded } from '../../../harness/random.ts';
import { providers, there, type Verdict, vectors } from './vectors.ts';

const sets = { 'ML-KEM-512': Ke.ML_KEM_512, 'ML-KEM-768': Ke.ML_KEM_768, 'ML-KEM-1024': Ke.ML_KEM_1024 } as const;
type Wycheproof = Verdict & {
  readonly of: 'decapsulation' | 'encapsulation';
  readonly set: keyof typeof sets;
  readonly seed: string;
  readonly ek: string;
  readonly c: string;
  readonly shared: string;
};

const method = (crypto: Cryptography, set: keyof typeof sets): KeyExchange => there(crypto.keyExchange(sets[set]));
const refusal = (error: unknown): boolean => error instanceof ProtocolError && error.verdict === 'drop' && error.notify === 7;

for (const crypto of providers) {
  describe(`ML-KEM of ${crypto.name}`, () => {
    it('makes the encapsulation key of a seed and the secret of a ciphertext as Wycheproof has them; other lengths are refused', () => {
      for (const t of vectors<Wycheproof>('wycheproof/ml-kem.json').filter((one) => one.of === 'decapsulation')) {
        const { generate, conclude } = method(crypto, t.set);
        const { privateKey, publicValue } = generate(() => unhex(t.seed));
        assert.equal(hex(publicValue), t.ek, `${t.set} ${t.tcId}`);
        if (t.result === 'valid')
          assert.equal(hex(conclude(privateKey, unhex(t.c))), t.shared, `${t.set} ${t.tcId} ${t.comment}`);
        else assert.throws(() => conclude(privateKey, unhex(t.c)), refusal, `${t.set} ${t.tcId} ${t.comment}`);
      }
    });

    it('encapsulates for no key that is too short, too long or not reduced', () => {
      const bad = vectors<Wycheproof>('wycheproof/ml-kem.json').filter((one) => one.of === 'encapsulation');
      assert.ok(bad.length > 9);
      for (const t of bad)
        assert.throws(() => method(crypto, t.set).respond(unhex(t.ek), seeded(1)), refusal, `${t.set} ${t.tcId} ${t.comment}`);
    });

    it('gives both sides one secret, a new one each time, in values of the lengths that it names', () => {
      for (const id of Object.values(sets)) {
        const { generate, respond, conclude, requestLength, responseLength, postQuantum } = there(crypto.keyExchange(id));
        const { privateKey, publicValue } = generate(seeded(id));
        const [one, other] = [respond(publicValue, seeded(1)), respond(publicValue, seeded(1))];
        assert.deepEqual(conclude(privateKey, one.publicValue), one.shared);
        assert.notDeepEqual(one.shared, other.shared);
        assert.deepEqual([publicValue.length, one.publicValue.length, one.shared.length], [requestLength, responseLength, 32]);
        assert.equal(postQuantum, true);
        for (const bytes of [privateKey, publicValue, one.publicValue, one.shared])
          assert.equal(Object.getPrototypeOf(bytes), Uint8Array.prototype);
      }
    });
  });
}
