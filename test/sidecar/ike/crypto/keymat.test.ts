/** Keys of IKE SAs and of children, derived again by hand from the formulas of RFC 7296 §2.14, §2.17, §2.18 and RFC 5723 §5.1. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Prf } from '../../../../sidecar/ike/crypto/cryptography.ts';
import { childKeys, type IkeKeys, type IkeSeed, ikeKeys } from '../../../../sidecar/ike/crypto/keymat.ts';
import type { IkeSuite } from '../../../../sidecar/ike/crypto/suite.ts';
import { ProtocolError } from '../../../../sidecar/ike/error.ts';
import { type Bytes, concat, EMPTY, hex, unhex, utf8 } from '../../../../sidecar/ike/wire/bytes.ts';
import { noble, openssl, providers, there } from './vectors.ts';

const count = (length: number, first = 0): Bytes => Uint8Array.from({ length }, (_, index) => first + index);
const ni = count(32, 1);
const nr = count(48, 101);
const shared = count(32, 200);
const oldD = count(64, 7);
const spis = { spiI: '0011223344556677', spiR: '8899aabbccddeeff' };
const info = concat(ni, nr, unhex(spis.spiI), unhex(spis.spiR));
const cbc: IkeSuite = { encr: 12, keyBits: 256, integ: 12, prf: 5, ke: 31 };
const gcm: IkeSuite = { encr: 20, keyBits: 256, integ: 0, prf: 7, ke: 31 };
const prf = (id: number): Prf => there(openssl.prf(id));
const joined = ({ d, ai, ar, ei, er, pi, pr }: IkeKeys): string => hex(concat(d, ai, ar, ei, er, pi, pr));

/** T1 | T2 | … written out. */
function prfPlus({ mac }: Prf, key: Bytes, seed: Bytes, length: number): string {
  const blocks: Bytes[] = [];
  for (let n = 1; n <= 10; n++) blocks.push(mac(key, concat(blocks[n - 2] ?? EMPTY, seed, Uint8Array.of(n))));
  return hex(concat(...blocks).subarray(0, length));
}

for (const crypto of providers) {
  describe(`keys of an IKE SA, ${crypto.name}`, () => {
    const full: IkeSeed = { from: 'full', ni, nr, shared, ...spis };

    it('come from SKEYSEED = prf (Ni | Nr, g^ir), in the order d, ai, ar, ei, er, pi, pr', () => {
      const skeyseed = prf(5).mac(concat(ni, nr), shared);
      const keys = ikeKeys(crypto, cbc, full);
      assert.equal(joined(keys), prfPlus(prf(5), skeyseed, info, 7 * 32));
      assert.deepEqual(Object.keys(keys).sort(), ['ai', 'ar', 'd', 'ei', 'er', 'pi', 'pr']);
    });

    it('have no SK_a with an AEAD, and its salt in SK_e (RFC 5282 §7.1)', () => {
      const keys = ikeKeys(crypto, gcm, full);
      assert.deepEqual([keys.ai, keys.ar], [EMPTY, EMPTY]);
      assert.deepEqual(
        [keys.d, keys.ei, keys.er, keys.pi, keys.pr].map(({ length }) => length),
        [64, 36, 36, 64, 64],
      );
      assert.equal(joined(keys), prfPlus(prf(7), prf(7).mac(concat(ni, nr), shared), info, 3 * 64 + 2 * 36));
    });

    it('come from SKEYSEED = prf (SK_d (old), "Resumption" | Ni | Nr) after a resumption (RFC 5723 §5.1)', () => {
      const skeyseed = prf(7).mac(oldD, concat(utf8('Resumption'), ni, nr));
      const keys = ikeKeys(crypto, gcm, { from: 'resumption', ni, nr, oldD, ...spis });
      assert.equal(joined(keys), prfPlus(prf(7), skeyseed, info, 3 * 64 + 2 * 36));
    });

    it('come from SKEYSEED = prf (SK_d (old), g^ir (new) | Ni | Nr) after a rekey (RFC 7296 §2.18)', () => {
      const skeyseed = prf(5).mac(oldD, concat(shared, ni, nr));
      const keys = ikeKeys(crypto, cbc, { from: 'rekey', ni, nr, oldD, oldPrf: 5, shared, ...spis });
      assert.equal(joined(keys), prfPlus(prf(5), skeyseed, info, 7 * 32));
    });

    it('take SKEYSEED from the old prf and the rest from the new one when a rekey changes it', () => {
      for (const [suite, oldPrf, length] of [
        [gcm, 5, 3 * 64 + 2 * 36],
        [cbc, 6, 7 * 32],
      ] as const) {
        const skeyseed = prf(oldPrf).mac(oldD, concat(shared, ni, nr));
        const keys = ikeKeys(crypto, suite, { from: 'rekey', ni, nr, oldD, oldPrf, shared, ...spis });
        assert.equal(joined(keys), prfPlus(prf(suite.prf), skeyseed, info, length));
      }
    });

    it('abort with NO_PROPOSAL_CHOSEN for a suite that names what we lack', () => {
      for (const lacking of [
        { ...cbc, encr: 99 },
        { ...cbc, keyBits: 192 },
        { ...cbc, integ: 99 },
        { ...cbc, prf: 99 },
      ])
        assert.throws(
          () => ikeKeys(crypto, lacking, full),
          (error) => error instanceof ProtocolError && error.verdict === 'abort' && error.notify === 14,
        );
    });
  });

  describe(`keys of a child, ${crypto.name}`, () => {
    it('are prf+ (SK_d, Ni | Nr): what the initiator sends first, encryption before integrity (RFC 7296 §2.17)', () => {
      const { initiator, responder } = childKeys(crypto, { encr: 12, keyBits: 128, integ: 14 }, 5, oldD, ni, nr, undefined);
      const keymat = prfPlus(prf(5), oldD, concat(ni, nr), 2 * (16 + 64));
      assert.equal(hex(concat(initiator.encr, initiator.integ, responder.encr, responder.integ)), keymat);
      assert.deepEqual([initiator.encr.length, initiator.integ.length], [16, 64]);
    });

    it('begin the seed with g^ir when there was a key exchange', () => {
      const { initiator, responder } = childKeys(crypto, { encr: 28, keyBits: 0, integ: 0 }, 6, oldD, ni, nr, shared);
      assert.equal(hex(concat(initiator.encr, responder.encr)), prfPlus(prf(6), oldD, concat(shared, ni, nr), 72));
      assert.deepEqual([initiator.integ, responder.integ], [EMPTY, EMPTY]);
    });
  });
}

it('both providers derive the same keys, each of its own memory', () => {
  const bytes = fc.uint8Array({ minLength: 16, maxLength: 256 });
  fc.assert(
    fc.property(bytes, bytes, bytes, fc.constantFrom(cbc, gcm, { ...cbc, prf: 6, integ: 13 }), (one, other, secret, suite) => {
      const seed: IkeSeed = { from: 'full', ni: one, nr: other, shared: secret, ...spis };
      const keys = ikeKeys(noble, suite, seed);
      assert.deepEqual(ikeKeys(openssl, suite, seed), keys);
      for (const key of Object.values(keys)) assert.equal(key.buffer.byteLength, key.length);
    }),
    { numRuns: 30 },
  );
});
