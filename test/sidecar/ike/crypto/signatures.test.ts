/** Signatures against Wycheproof, and both providers against each other (RFC 7427, RFC 8420, RFC 8032). */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { Hash, type KeyKind, type SignatureScheme } from '../../../../sidecar/ike/crypto/signature.ts';
import { schemesFor } from '../../../../sidecar/ike/crypto/signature-choice.ts';
import { type Bytes, concat, hex, unhex, utf8 } from '../../../../sidecar/ike/wire/bytes.ts';
import { encodeDer } from '../../../../sidecar/ike/wire/der.ts';
import { noble, openssl, providers, there, unaligned, type Verdict, vectors } from './vectors.ts';

type Wycheproof = Verdict & {
  readonly key: string;
  readonly hash: string;
  readonly msg: string;
  readonly sig: string;
  readonly salt?: number;
};
const files: Readonly<Record<string, SignatureScheme['kind']>> = {
  'ecdsa-p256': 'ecdsa',
  'ecdsa-p384': 'ecdsa',
  'ecdsa-p521': 'ecdsa',
  ed25519: 'ed25519',
  ed448: 'ed448',
  'rsa-pkcs1': 'rsa',
  'rsa-pss': 'rsa-pss',
};
const hashes: Readonly<Record<string, Hash>> = {
  'SHA-256': Hash.SHA2_256,
  'SHA-384': Hash.SHA2_384,
  'SHA-512': Hash.SHA2_512,
  '': Hash.IDENTITY,
};

const generated = (kind: KeyKind): { spki: Bytes; pkcs8: Bytes } => {
  const pair =
    kind === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : kind === 'ed25519'
        ? generateKeyPairSync('ed25519')
        : kind === 'ed448'
          ? generateKeyPairSync('ed448')
          : generateKeyPairSync('ec', { namedCurve: `P-${kind.slice(-3)}` });
  return {
    spki: new Uint8Array(pair.publicKey.export({ format: 'der', type: 'spki' })),
    pkcs8: new Uint8Array(pair.privateKey.export({ format: 'der', type: 'pkcs8' })),
  };
};
const kinds = ['rsa', 'ec-p256', 'ec-p384', 'ec-p521', 'ed25519', 'ed448'] as const;
const keys = Object.fromEntries(kinds.map((kind) => [kind, generated(kind)])) as Record<KeyKind, { spki: Bytes; pkcs8: Bytes }>;
const everyHash = Object.values(Hash);
const everyScheme = (['rsa', 'rsa-pss', 'ecdsa', 'ed25519', 'ed448'] as const).flatMap((kind) =>
  everyHash.map((hash): SignatureScheme => ({ kind, hash })),
);
const text = utf8('octets to be signed');

for (const { name, signatures } of providers) {
  describe(`signatures of ${name}`, () => {
    for (const [file, kind] of Object.entries(files)) {
      it(`agree with Wycheproof on ${file}`, () => {
        for (const t of vectors<Wycheproof>(`wycheproof/${file}.json`)) {
          const key = signatures.publicKey(unaligned(unhex(t.key)));
          const scheme = { kind, hash: there(hashes[t.hash]) };
          const verified = key?.verify(scheme, unaligned(unhex(t.msg)), unaligned(unhex(t.sig))) ?? false;
          // RFC 7427 §4: the salt is as long as the hash; other lengths are none of ours. Sloppy DER is refused as well.
          const foreignSalt = t.salt !== undefined && ![32, 64].includes(t.salt);
          assert.equal(verified, t.result === 'valid' && !foreignSalt, `${t.tcId} ${t.comment} ${t.flags}`);
        }
      });
    }

    it('verify what they sign, with every scheme of a key, and nothing altered', () => {
      for (const kind of kinds) {
        const [own, key] = [there(signatures.privateKey(keys[kind].pkcs8)), there(signatures.publicKey(keys[kind].spki))];
        assert.equal(own.kind, kind);
        assert.equal(key.kind, kind);
        for (const scheme of schemesFor(kind, everyHash)) {
          const signature = own.sign(scheme, text);
          assert.equal(Object.getPrototypeOf(signature), Uint8Array.prototype);
          assert.ok(key.verify(scheme, text, signature), `${kind} ${JSON.stringify(scheme)}`);
          assert.ok(!key.verify(scheme, utf8('other octets'), signature));
          assert.ok(!key.verify(scheme, text, altered(signature)));
          assert.ok(!key.verify(scheme, text, concat(signature, Uint8Array.of(0))));
          assert.ok(!key.verify(scheme, text, new Uint8Array()));
        }
      }
    });

    it('refuse a scheme that is not the key’s', () => {
      for (const kind of kinds) {
        const [own, key] = [there(signatures.privateKey(keys[kind].pkcs8)), there(signatures.publicKey(keys[kind].spki))];
        const fitting = [...schemesFor(kind, everyHash), { kind: kind === 'rsa' ? 'rsa' : 'ecdsa', hash: Hash.SHA1 }];
        for (const scheme of everyScheme) {
          if (fitting.some((one) => one.hash === scheme.hash && (one.kind === scheme.kind || scheme.kind === 'rsa-pss')))
            continue;
          assert.ok(!key.verify(scheme, text, new Uint8Array(64)));
          assert.throws(() => own.sign(scheme, text), RangeError, `${kind} ${JSON.stringify(scheme)}`);
        }
      }
    });

    it('do not verify a good signature by the name of another scheme', () => {
      for (const kind of kinds) {
        const [own, key] = [there(signatures.privateKey(keys[kind].pkcs8)), there(signatures.publicKey(keys[kind].spki))];
        for (const good of schemesFor(kind, everyHash))
          for (const other of everyScheme)
            if (other.kind !== good.kind || other.hash !== good.hash)
              assert.ok(!key.verify(other, text, own.sign(good, text)), `${kind} ${JSON.stringify(other)}`);
      }
    });

    it('know the size of a key and the public half of a private one', () => {
      const bits = { rsa: 2048, 'ec-p256': 256, 'ec-p384': 384, 'ec-p521': 521, ed25519: 255, ed448: 448 };
      for (const kind of kinds) {
        assert.equal(there(signatures.publicKey(keys[kind].spki)).bits, bits[kind]);
        assert.equal(hex(there(signatures.privateKey(keys[kind].pkcs8)).publicKey()), hex(keys[kind].spki));
      }
    });

    it('refuse RSA below 2048 bits and above 8192, and exponents that make a stranger’s signature costly', () => {
      const short = generateKeyPairSync('rsa', { modulusLength: 1024 });
      const spki = new Uint8Array(short.publicKey.export({ format: 'der', type: 'spki' }));
      const pkcs8 = new Uint8Array(short.privateKey.export({ format: 'der', type: 'pkcs8' }));
      assert.equal(signatures.publicKey(spki), undefined);
      assert.equal(signatures.privateKey(pkcs8), undefined);
      for (const [exponent, accepted] of [
        [65537n, true],
        [3n, true],
        [1n, false],
        [65536n, false],
        [(1n << 2040n) + 1n, false],
      ] as const)
        assert.equal(signatures.publicKey(rsaKey(2048, exponent)) !== undefined, accepted, `${exponent}`);
      assert.equal(signatures.publicKey(rsaKey(8193, 65537n)), undefined);
    });

    it('refuse points off the curve and keys of kinds that we do not have', () => {
      for (const kind of ['ec-p256', 'ec-p384', 'ec-p521'] as const)
        assert.equal(signatures.publicKey(altered(keys[kind].spki)), undefined);
      const strange = [
        generateKeyPairSync('x25519').publicKey,
        generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey,
        generateKeyPairSync('dsa', { modulusLength: 1024 }).publicKey,
      ];
      for (const key of strange)
        assert.equal(signatures.publicKey(new Uint8Array(key.export({ format: 'der', type: 'spki' }))), undefined);
    });

    it('never throw for a key or a signature of arbitrary bytes, or one with a few bytes changed', () => {
      const from = fc.constantFrom(...kinds);
      const change = fc.tuple(fc.nat(), fc.nat(255));
      fc.assert(
        fc.property(from, fc.uint8Array({ maxLength: 200 }), fc.array(change, { maxLength: 3 }), (kind, bytes, changes) => {
          signatures.publicKey(bytes);
          signatures.privateKey(bytes);
          signatures.publicKey(mutated(keys[kind].spki, changes))?.verify(schemesFor(kind, everyHash)[0]!, text, bytes);
          signatures.privateKey(mutated(keys[kind].pkcs8, changes));
        }),
        { numRuns: 60 },
      );
    });

    it('print no private key', () => {
      for (const kind of kinds) {
        const key = there(signatures.privateKey(keys[kind].pkcs8));
        for (const printed of [JSON.stringify({ key }), inspect({ key }), `${key}`]) assert.match(printed, /\[secret\]/);
      }
    });
  });
}

describe('two signature providers', () => {
  it('verify what the other signs', () => {
    for (const [one, other] of [
      [noble, openssl],
      [openssl, noble],
    ] as const)
      for (const kind of kinds)
        for (const scheme of schemesFor(kind, everyHash)) {
          const signature = there(one.signatures.privateKey(keys[kind].pkcs8)).sign(scheme, text);
          assert.ok(there(other.signatures.publicKey(keys[kind].spki)).verify(scheme, text, signature), `${kind} ${one.name}`);
        }
  });
});

const altered = (bytes: Bytes): Bytes => bytes.map((byte, index) => (index === bytes.length - 1 ? byte ^ 1 : byte));

function mutated(bytes: Bytes, changes: readonly (readonly [number, number])[]): Bytes {
  const out = bytes.slice();
  for (const [at, value] of changes) out[at % out.length] = value;
  return out;
}

/** A modulus that is no product of primes serves as well, as nothing is verified with it. */
function rsaKey(bits: number, exponent: bigint): Bytes {
  const modulus = (1n << BigInt(bits - 1)) | 1n;
  const body = encodeDer(0x30, concat(integer(modulus), integer(exponent)));
  return encodeDer(0x30, concat(unhex('300d06092a864886f70d0101010500'), encodeDer(0x03, concat(Uint8Array.of(0), body))));
}

function integer(value: bigint): Bytes {
  const digits = value.toString(16);
  const even = digits.length % 2 === 0 ? digits : `0${digits}`;
  return encodeDer(0x02, unhex(/^[89a-f]/.test(even) ? `00${even}` : even));
}
