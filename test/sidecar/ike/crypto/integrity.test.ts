/** Integrity algorithms against RFC 4868 §2.7.2 and Wycheproof's truncated tags. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hex, unhex } from '../../../../sidecar/ike/wire/bytes.ts';
import { providers, there, type Verdict, vectors } from './vectors.ts';

const ids = { sha256: 12, sha384: 13, sha512: 14 } as const;
type Hash = keyof typeof ids;

interface AuthVector {
  readonly name: string;
  readonly hash: Hash;
  readonly key: string;
  readonly data: string;
  readonly auth?: string;
}
type Wycheproof = Verdict & { readonly tagSize: number; readonly key: string; readonly msg: string; readonly tag: string };

for (const crypto of providers) {
  describe(`AUTH_HMAC_SHA2 of ${crypto.name}`, () => {
    it('gives what RFC 4868 §2.7.2 lists', () => {
      const listed = vectors<AuthVector>('rfc/hmac.json').filter(({ auth }) => auth !== undefined);
      assert.equal(listed.length, 12);
      for (const { name, hash, key, data, auth } of listed)
        assert.equal(hex(there(crypto.integrity(ids[hash])).mac(unhex(key), unhex(data))), auth, name);
    });

    it('has keys as long as the hash and tags half as long (RFC 4868 §2.1)', () => {
      const sizes = [12, 13, 14]
        .map((id) => there(crypto.integrity(id)))
        .map(({ keyLength, icvLength }) => [keyLength, icvLength]);
      assert.deepEqual(sizes, [
        [32, 16],
        [48, 24],
        [64, 32],
      ]);
    });

    for (const hash of Object.keys(ids) as Hash[]) {
      it(`agrees with Wycheproof on truncated HMAC-${hash}`, () => {
        const integrity = there(crypto.integrity(ids[hash]));
        const truncated = vectors<Wycheproof>(`wycheproof/hmac-${hash}.json`).filter(
          (t) => t.tagSize === 8 * integrity.icvLength,
        );
        assert.ok(truncated.length > 10);
        for (const { key, msg, tag, result, tcId } of truncated)
          assert.equal(hex(integrity.mac(unhex(key), unhex(msg))) === tag, result === 'valid', `${tcId}`);
      });
    }
  });
}
