/** Pseudorandom functions against RFC 4868, RFC 5869 and Wycheproof, and what RFC 7296 §2.13 says of prf+. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Prf } from '../../../../sidecar/ike/crypto/cryptography.ts';
import { type Bytes, concat, EMPTY, hex, unhex } from '../../../../sidecar/ike/wire/bytes.ts';
import { noble, openssl, providers, there, type Verdict, vectors } from './vectors.ts';

const ids = { sha256: 5, sha384: 6, sha512: 7 } as const;
type Hash = keyof typeof ids;
const hashes = Object.keys(ids) as Hash[];
const blob = (maxLength: number, minLength = 0) => fc.uint8Array({ minLength, maxLength });

interface HmacVector {
  readonly name: string;
  readonly hash: Hash;
  readonly key: string;
  readonly data: string;
  readonly prf: string;
}
interface HkdfVector {
  readonly ikm: string;
  readonly salt: string;
  readonly info: string;
  readonly size: number;
  readonly prk: string;
  readonly okm: string;
}
type WycheproofHmac = Verdict & { readonly tagSize: number; readonly key: string; readonly msg: string; readonly tag: string };

for (const crypto of providers) {
  const prf = (hash: Hash): Prf => there(crypto.prf(ids[hash]));

  describe(`PRF_HMAC_SHA2 of ${crypto.name}`, () => {
    it('gives what RFC 4868 §2.7 lists', () => {
      for (const { name, hash, key, data, prf: expected } of vectors<HmacVector>('rfc/hmac.json'))
        assert.equal(hex(prf(hash).mac(unhex(key), unhex(data))), expected, name);
    });

    it('is HKDF as RFC 5869 appendix A shows it, in one step and in two', () => {
      for (const { ikm, salt, info, size, prk, okm } of vectors<HkdfVector>('rfc/hkdf-sha256.json')) {
        assert.equal(hex(prf('sha256').mac(unhex(salt), unhex(ikm))), prk);
        assert.equal(hex(prf('sha256').expand(unhex(prk), unhex(info), size)), okm);
        assert.equal(hex(prf('sha256').derive(unhex(salt), unhex(ikm), unhex(info), size)), okm);
      }
    });

    for (const hash of hashes) {
      it(`agrees with Wycheproof on HMAC-${hash}`, () => {
        for (const { tagSize, key, msg, tag, result, tcId } of vectors<WycheproofHmac>(`wycheproof/hmac-${hash}.json`)) {
          const mac = hex(
            prf(hash)
              .mac(unhex(key), unhex(msg))
              .subarray(0, tagSize / 8),
          );
          assert.equal(mac === tag, result === 'valid', `${tcId}`);
        }
      });

      it(`agrees with Wycheproof on HKDF-${hash}, and refuses to give too much`, () => {
        for (const { ikm, salt, info, size, okm, result, tcId } of vectors<Verdict & HkdfVector>(
          `wycheproof/hkdf-${hash}.json`,
        )) {
          const derive = (): Bytes => prf(hash).derive(unhex(salt), unhex(ikm), unhex(info), size);
          if (result === 'valid') assert.equal(hex(derive()), okm, `${tcId}`);
          else assert.throws(derive, `${tcId}`);
        }
      });
    }

    it('has the sizes of RFC 4868 §2.4', () => {
      assert.deepEqual(
        hashes.map((hash) => prf(hash).length),
        [32, 48, 64],
      );
    });

    it('ends prf+ at 255 blocks', () => {
      assert.equal(prf('sha256').expand(EMPTY, EMPTY, 255 * 32).length, 255 * 32);
      assert.throws(() => prf('sha256').expand(EMPTY, EMPTY, 255 * 32 + 1), RangeError);
    });

    it('derives with a seed that is longer than HKDF of the library takes', () => {
      const [salt, secret, info] = [unhex('01'), unhex('02'), new Uint8Array(1500)];
      const steps = prf('sha512').expand(prf('sha512').mac(salt, secret), info, 100);
      assert.deepEqual(prf('sha512').derive(salt, secret, info, 100), steps);
    });

    it('answers plain bytes', () => {
      for (const bytes of [
        prf('sha256').mac(EMPTY, EMPTY),
        prf('sha256').expand(EMPTY, EMPTY, 5),
        prf('sha256').derive(EMPTY, EMPTY, EMPTY, 5),
      ])
        assert.equal(Object.getPrototypeOf(bytes), Uint8Array.prototype);
    });
  });
}

describe('prf+', () => {
  it('is T1 = prf (K, S | 1), Tn = prf (K, Tn-1 | S | n), cut where it is enough', () => {
    fc.assert(
      fc.property(fc.constantFrom(...hashes), blob(80), blob(80), fc.nat(300), (hash, key, seed, length) => {
        const prf = there(openssl.prf(ids[hash]));
        const blocks: Bytes[] = [];
        for (let n = 1, previous = EMPTY; n <= 300 / prf.length + 1; n++) {
          previous = prf.mac(key, concat(previous, seed, Uint8Array.of(n)));
          blocks.push(previous);
        }
        const expected = concat(...blocks).subarray(0, length);
        for (const crypto of providers) assert.equal(hex(there(crypto.prf(ids[hash])).expand(key, seed, length)), hex(expected));
      }),
      { numRuns: 50 },
    );
  });

  it('of prf (salt, secret) is `derive`, with either provider', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...hashes),
        blob(140),
        blob(100),
        blob(600),
        fc.integer({ min: 1, max: 300 }),
        (hash, salt, secret, info, length) => {
          const [a, b] = [there(noble.prf(ids[hash])), there(openssl.prf(ids[hash]))];
          const steps = hex(a.expand(b.mac(salt, secret), info, length));
          assert.equal(hex(a.derive(salt, secret, info, length)), steps);
          assert.equal(hex(b.derive(salt, secret, info, length)), steps);
        },
      ),
      { numRuns: 50 },
    );
  });
});
