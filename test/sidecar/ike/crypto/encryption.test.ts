/** Encryption against RFC 7634, the GCM submission, RFC 3602 and Wycheproof, and both providers against each other. */
import assert from 'node:assert/strict';
import { createCipheriv } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Encryption } from '../../../../sidecar/ike/crypto/cryptography.ts';
import { type Bytes, concat, EMPTY, hex, unhex } from '../../../../sidecar/ike/wire/bytes.ts';
import { noble, openssl, providers, there, unaligned, type Verdict, vectors } from './vectors.ts';

interface AeadVector {
  readonly name: string;
  readonly encr: number;
  readonly keyBits: number;
  readonly key: string;
  readonly nonce: string;
  readonly aad: string;
  readonly msg: string;
  readonly ct: string;
  readonly tag: string;
}
type WycheproofAead = Verdict & Omit<AeadVector, 'name' | 'encr' | 'keyBits' | 'nonce'> & { readonly iv: string };

const GCM = 20;
const CHACHA = 28;
const CBC = 12;
const all: readonly (readonly [number, number])[] = [
  [GCM, 128],
  [GCM, 256],
  [CHACHA, 0],
  [CBC, 128],
  [CBC, 256],
];
const aeads = all.slice(0, 3);

for (const crypto of providers) {
  describe(`encryption of ${crypto.name}`, () => {
    it('seals and opens the examples of RFC 7634 and of the GCM submission', () => {
      for (const { encr, keyBits, nonce, ...t } of vectors<AeadVector>('rfc/aead.json'))
        check(there(crypto.encryption(encr, keyBits)), { ...t, iv: nonce }, 'valid', t.name);
    });

    it('agrees with Wycheproof on AES-GCM', () => {
      for (const t of vectors<WycheproofAead>('wycheproof/aes-gcm.json'))
        check(there(crypto.encryption(GCM, 4 * t.key.length)), t, t.result, `${t.tcId} ${t.comment}`);
    });

    it('agrees with Wycheproof on ChaCha20-Poly1305', () => {
      for (const t of vectors<WycheproofAead>('wycheproof/chacha20-poly1305.json'))
        check(there(crypto.encryption(CHACHA, 0)), t, t.result, `${t.tcId} ${t.comment}`);
    });

    it('does AES-CBC as RFC 3602 §4 and SP 800-38A show it', () => {
      for (const { key, iv, msg, ct, keyBits, name } of vectors<CbcVector>('rfc/aes-cbc.json')) {
        const cbc = there(crypto.encryption(CBC, keyBits));
        assert.equal(hex(cbc.seal(unhex(key), unhex(iv), unhex(msg), EMPTY)), ct, name);
        assert.equal(hex(cbc.open(unhex(key), unhex(iv), unhex(ct), EMPTY) ?? EMPTY), msg, name);
      }
    });

    it('agrees with Wycheproof on AES-CBC when the caller pads', () => {
      for (const { key, iv, msg, ct, tcId } of vectors<Verdict & CbcVector>('wycheproof/aes-cbc.json')) {
        const cbc = there(crypto.encryption(CBC, 4 * key.length));
        const padded = pkcs7(unhex(msg));
        assert.equal(hex(cbc.seal(unhex(key), unhex(iv), padded, EMPTY)), ct, `${tcId}`);
        assert.deepEqual(cbc.open(unhex(key), unhex(iv), unhex(ct), EMPTY), padded, `${tcId}`);
      }
    });

    it('takes the keying material that the RFCs say', () => {
      // RFC 5282 §7.1 and RFC 7634 §3: a salt of 4 octets comes with the key.
      const sizes = all.map(([id, keyBits]) => there(crypto.encryption(id, keyBits)));
      assert.deepEqual(
        sizes.map(({ keyLength }) => keyLength),
        [20, 36, 36, 16, 32],
      );
      assert.deepEqual(
        sizes.map(({ ivLength }) => ivLength),
        [8, 8, 8, 16, 16],
      );
      assert.deepEqual(
        sizes.map(({ icvLength }) => icvLength),
        [16, 16, 16, 0, 0],
      );
      assert.deepEqual(
        sizes.map(({ blockLength }) => blockLength),
        [1, 1, 1, 16, 16],
      );
      assert.deepEqual(
        sizes.map(({ aead }) => aead),
        [true, true, true, false, false],
      );
    });

    it('refuses to seal with a key, an IV or a plaintext of the wrong size', () => {
      for (const [id, keyBits] of all) {
        const { keyLength, ivLength, aead, seal } = there(crypto.encryption(id, keyBits));
        const [key, iv, block] = [new Uint8Array(keyLength), new Uint8Array(ivLength), new Uint8Array(16)];
        assert.throws(() => seal(key.subarray(1), iv, block, EMPTY), RangeError);
        assert.throws(() => seal(concat(key, key), iv, block, EMPTY), RangeError);
        assert.throws(() => seal(key, iv.subarray(1), block, EMPTY), RangeError);
        if (!aead) assert.throws(() => seal(key, iv, block.subarray(1), EMPTY), RangeError);
      }
    });

    it('opens nothing else, and never throws', () => {
      const lengths = fc.uint8Array({ maxLength: 40 });
      fc.assert(
        fc.property(fc.constantFrom(...all), lengths, lengths, lengths, lengths, (algorithm, key, iv, sealed, aad) => {
          const encryption = there(crypto.encryption(...algorithm));
          const opened = encryption.open(key, iv, sealed, aad);
          if (encryption.aead) assert.equal(opened, undefined);
        }),
      );
    });

    it('opens nothing under a nonce of another length, which GCM itself would allow', () => {
      const cipher = createCipheriv('aes-128-gcm', new Uint8Array(16), new Uint8Array(20));
      cipher.final();
      const { open } = there(crypto.encryption(GCM, 128));
      assert.equal(open(new Uint8Array(20), new Uint8Array(16), cipher.getAuthTag(), EMPTY), undefined);
      assert.equal(open(new Uint8Array(28), new Uint8Array(8), cipher.getAuthTag(), EMPTY), undefined);
    });

    it('opens no part of a block with AES-CBC', () => {
      const { open } = there(crypto.encryption(CBC, 256));
      for (const length of [1, 15, 17, 31])
        assert.equal(open(new Uint8Array(32), new Uint8Array(16), new Uint8Array(length), EMPTY), undefined);
      assert.deepEqual(open(new Uint8Array(32), new Uint8Array(16), EMPTY, EMPTY), EMPTY);
    });

    it('answers plain bytes', () => {
      for (const [id, keyBits] of all) {
        const { keyLength, ivLength, seal, open } = there(crypto.encryption(id, keyBits));
        const [key, iv] = [new Uint8Array(keyLength), new Uint8Array(ivLength)];
        const sealed = seal(key, iv, new Uint8Array(32), EMPTY);
        assert.equal(Object.getPrototypeOf(sealed), Uint8Array.prototype);
        assert.deepEqual(open(key, iv, sealed, EMPTY), new Uint8Array(32));
      }
    });
  });
}

describe('two providers', () => {
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
  const sealing = fc.constantFrom(...all).chain(([id, keyBits]) => {
    const { keyLength, ivLength, blockLength } = there(openssl.encryption(id, keyBits));
    const plaintext = fc.nat(100).chain((blocks) => bytes(blocks * blockLength));
    return fc.tuple(
      fc.constant([id, keyBits] as const),
      bytes(keyLength),
      bytes(ivLength),
      plaintext,
      fc.uint8Array({ maxLength: 40 }),
    );
  });
  const pair = (id: number, keyBits: number) => [noble, openssl].map((crypto) => there(crypto.encryption(id, keyBits)));

  it('seal the same, and open what the other sealed, wherever the bytes lie in memory', () => {
    fc.assert(
      fc.property(sealing, ([[id, keyBits], key, iv, plaintext, aad]) => {
        const [a, b] = pair(id, keyBits) as [Encryption, Encryption];
        const sealed = a.seal(key, iv, plaintext, aad);
        assert.deepEqual(b.seal(unaligned(key), unaligned(iv), unaligned(plaintext), unaligned(aad)), sealed);
        assert.deepEqual(a.seal(unaligned(key), unaligned(iv), unaligned(plaintext), unaligned(aad)), sealed);
        assert.deepEqual(a.open(unaligned(key), unaligned(iv), unaligned(sealed), unaligned(aad)), plaintext);
        assert.deepEqual(b.open(unaligned(key), unaligned(iv), unaligned(sealed), unaligned(aad)), plaintext);
      }),
    );
  });

  it('open nothing in which a single bit is another', () => {
    const tampered = fc.tuple(
      fc.constantFrom(...aeads),
      bytes(36),
      bytes(8),
      fc.uint8Array({ maxLength: 40 }),
      bytes(8),
      fc.nat(),
      fc.nat(7),
    );
    fc.assert(
      fc.property(tampered, ([[id, keyBits], keymat, iv, plaintext, aad, at, bit]) => {
        for (const { open, seal, keyLength } of pair(id, keyBits)) {
          const key = keymat.subarray(0, keyLength);
          const sealed = seal(key, iv, plaintext, aad);
          assert.equal(open(key, iv, flipped(sealed, at, bit), aad), undefined);
          assert.equal(open(key, iv, sealed, flipped(aad, at, bit)), undefined);
          assert.equal(open(key, flipped(iv, at, bit), sealed, aad), undefined);
          assert.equal(open(flipped(key, at, bit), iv, sealed, aad), undefined);
          assert.equal(open(key, iv, sealed.subarray(0, -1), aad), undefined);
        }
      }),
    );
  });
});

interface CbcVector {
  readonly name: string;
  readonly keyBits: number;
  readonly key: string;
  readonly iv: string;
  readonly msg: string;
  readonly ct: string;
}

function check(encryption: Encryption, t: Omit<WycheproofAead, keyof Verdict>, result: Verdict['result'], name: string): void {
  const key = unhex(t.key + t.iv.slice(0, 8));
  const iv = unhex(t.iv.slice(8));
  const opened = encryption.open(key, iv, unhex(t.ct + t.tag), unhex(t.aad));
  assert.equal(opened && hex(opened), result === 'valid' ? t.msg : undefined, name);
  if (result === 'valid') assert.equal(hex(encryption.seal(key, iv, unhex(t.msg), unhex(t.aad))), t.ct + t.tag, name);
}

function pkcs7(message: Bytes): Bytes {
  const padding = 16 - (message.length % 16);
  return concat(message, new Uint8Array(padding).fill(padding));
}

function flipped(bytes: Bytes, at: number, bit: number): Bytes {
  const copy = bytes.slice();
  const index = at % copy.length;
  copy[index] = copy[index]! ^ (1 << bit);
  return copy;
}
