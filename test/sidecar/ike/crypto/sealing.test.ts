/** XChaCha20-Poly1305, subkeys and hashes of tickets, against the draft, Wycheproof and each other. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { EMPTY, hex, unhex, utf8 } from '../../../../sidecar/ike/wire/bytes.ts';
import { noble, openssl, providers, there, unaligned, type Verdict, vectors } from './vectors.ts';

interface Vector {
  readonly key: string;
  readonly aad: string;
  readonly msg: string;
  readonly ct: string;
  readonly tag: string;
}
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

for (const { name, sealing, prf } of providers) {
  describe(`sealing of ${name}`, () => {
    it('seals and opens the example of draft-irtf-cfrg-xchacha-03 §A.3.1', () => {
      for (const { key, nonce, msg, aad, ct, tag } of vectors<Vector & { nonce: string }>('rfc/xchacha20-poly1305.json')) {
        assert.equal(hex(sealing.seal(unhex(key), unhex(nonce), unhex(msg), unhex(aad))), ct + tag);
        assert.equal(hex(sealing.open(unhex(key), unhex(nonce), unhex(ct + tag), unhex(aad)) ?? EMPTY), msg);
      }
    });

    it('agrees with Wycheproof on XChaCha20-Poly1305', () => {
      for (const t of vectors<Verdict & Vector & { iv: string }>('wycheproof/xchacha20-poly1305.json')) {
        const opened = sealing.open(unhex(t.key), unhex(t.iv), unhex(t.ct + t.tag), unhex(t.aad));
        assert.equal(opened && hex(opened), t.result === 'valid' ? t.msg : undefined, `${t.tcId} ${t.comment}`);
        if (t.result !== 'valid') continue;
        assert.equal(hex(sealing.seal(unhex(t.key), unhex(t.iv), unhex(t.msg), unhex(t.aad))), t.ct + t.tag, `${t.tcId}`);
      }
    });

    it('refuses a key or a nonce of the wrong size, and opens nothing with one', () => {
      const [key, nonce] = [new Uint8Array(32), new Uint8Array(24)];
      const sealed = sealing.seal(key, nonce, EMPTY, EMPTY);
      for (const [k, n] of [
        [key.subarray(1), nonce],
        [key, nonce.subarray(1)],
        [key, new Uint8Array(25)],
      ] as const) {
        assert.throws(() => sealing.seal(k, n, EMPTY, EMPTY));
        assert.equal(sealing.open(k, n, sealed, EMPTY), undefined);
      }
    });

    it('makes one subkey per purpose and audience: HKDF-SHA256 (secret, salt = audience, info = purpose)', () => {
      const secret = unhex('0b'.repeat(32));
      const expected = there(prf(5)).derive(utf8('ns/gateway'), secret, utf8('ticket'), 32);
      assert.deepEqual(sealing.subkey(secret, 'ticket', 'ns/gateway'), expected);
      const others = [
        ['ticket', 'ns/other'],
        ['hand-off', 'ns/gateway'],
        ['', ''],
        ['ns/gateway', 'ticket'],
      ] as const;
      const keys = new Set(
        [expected, ...others.map(([purpose, audience]) => sealing.subkey(secret, purpose, audience))].map(hex),
      );
      assert.equal(keys.size, 1 + others.length);
    });

    it('hashes as FIPS 180-4 shows it', () => {
      assert.equal(hex(sealing.sha1(utf8('abc'))), 'a9993e364706816aba3e25717850c26c9cd0d89d');
      assert.equal(hex(sealing.sha256(utf8('abc'))), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
      assert.deepEqual(sealing.hmacSha256(utf8('Jefe'), utf8('abc')), there(prf(5)).mac(utf8('Jefe'), utf8('abc')));
    });

    it('answers plain bytes', () => {
      const [key, nonce] = [new Uint8Array(32), new Uint8Array(24)];
      const sealed = sealing.seal(key, nonce, new Uint8Array(9), EMPTY);
      assert.deepEqual(sealing.open(key, nonce, sealed, EMPTY), new Uint8Array(9));
      for (const answer of [
        sealed,
        sealing.sha1(key),
        sealing.sha256(key),
        sealing.subkey(key, '', ''),
        sealing.hmacSha256(key, key),
      ])
        assert.equal(Object.getPrototypeOf(answer), Uint8Array.prototype);
    });
  });
}

describe('two providers', () => {
  it('open the tickets of each other, wherever the bytes lie in memory', () => {
    fc.assert(
      fc.property(
        bytes(32),
        bytes(24),
        fc.uint8Array({ maxLength: 400 }),
        fc.uint8Array({ maxLength: 20 }),
        (key, nonce, state, aad) => {
          const sealed = noble.sealing.seal(key, nonce, state, aad);
          assert.deepEqual(openssl.sealing.seal(unaligned(key), unaligned(nonce), unaligned(state), unaligned(aad)), sealed);
          for (const { sealing } of providers)
            assert.deepEqual(sealing.open(unaligned(key), unaligned(nonce), unaligned(sealed), unaligned(aad)), state);
        },
      ),
    );
  });
});
