/** Diffie-Hellman against RFC 5903, RFC 7748, RFC 8031 and Wycheproof, the primes of RFC 3526, and both providers against each other. */
import assert from 'node:assert/strict';
import { getDiffieHellman } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Cryptography, KeyExchange } from '../../../../sidecar/ike/crypto/cryptography.ts';
import { modpPrimes } from '../../../../sidecar/ike/crypto/modp-primes.ts';
import { ProtocolError } from '../../../../sidecar/ike/error.ts';
import { type Bytes, concat, hex, unhex } from '../../../../sidecar/ike/wire/bytes.ts';
import { noble, openssl, providers, there, type Verdict, vectors } from './vectors.ts';

const CURVE25519 = 31;
const curves = { 'ecdh-p256': 19, 'ecdh-p384': 20, 'ecdh-p521': 21 } as const;
const secretLengths: Readonly<Record<number, number>> = { 14: 32, 15: 40, 16: 48, 19: 32, 20: 48, 21: 66, 31: 32 };
const publicLengths: Readonly<Record<number, number>> = { 14: 256, 15: 384, 16: 512, 19: 64, 20: 96, 21: 132, 31: 32 };
const groups = Object.keys(publicLengths).map(Number);
const modps = { 2: modpPrimes.modp2, 14: modpPrimes.modp14, 15: modpPrimes.modp15, 16: modpPrimes.modp16 } as const;

interface RfcVector {
  readonly name: string;
  readonly group: number;
  readonly i: string;
  readonly r: string;
  readonly publicI: string;
  readonly publicR: string;
  readonly shared: string;
}
type Wycheproof = Verdict & { readonly public: string; readonly private: string; readonly shared: string };

const exchange = (crypto: Cryptography, group: number): KeyExchange => there(crypto.keyExchange(group));
const refusal = (error: unknown): boolean => error instanceof ProtocolError && error.verdict === 'drop' && error.notify === 7;

for (const crypto of providers) {
  /** A key pair of a known secret: that is all that is asked of the random source. */
  const pairOf = (group: number, secret: string) => exchange(crypto, group).generate(() => unhex(secret));
  const agree = (group: number, secret: string, peer: string): string =>
    hex(exchange(crypto, group).conclude(pairOf(group, secret).privateKey, unhex(peer)));

  describe(`key exchange of ${crypto.name}`, () => {
    it('gives the public values and shared secrets of RFC 5903 §8, RFC 7748 §6.1 and RFC 8031 appendix A', () => {
      for (const { name, group, i, r, publicI, publicR, shared } of vectors<RfcVector>('rfc/key-exchange.json')) {
        assert.equal(hex(pairOf(group, i).publicValue), publicI, name);
        assert.equal(hex(pairOf(group, r).publicValue), publicR, name);
        assert.equal(agree(group, i, publicR), shared, name);
        assert.equal(agree(group, r, publicI), shared, name);
      }
    });

    it('computes X25519 as RFC 7748 §5.2 shows it, the most significant bit masked (RFC 8031 §3.2)', () => {
      for (const { scalar, u, out } of vectors<{ scalar: string; u: string; out: string }>('rfc/x25519.json'))
        assert.equal(agree(CURVE25519, scalar, u), out);
    });

    it('agrees with Wycheproof on X25519: twists and non-canonical values accepted, a zero result refused', () => {
      for (const t of vectors<Wycheproof>('wycheproof/x25519.json')) {
        if (t.flags.includes('ZeroSharedSecret'))
          assert.throws(() => agree(CURVE25519, t.private, t.public), refusal, `${t.tcId}`);
        else assert.equal(agree(CURVE25519, t.private, t.public), t.shared, `${t.tcId} ${t.comment}`);
      }
    });

    for (const [file, group] of Object.entries(curves)) {
      it(`agrees with Wycheproof on ${file}: points off the curve and other forms than x | y refused`, () => {
        const length = secretLengths[group]!;
        for (const t of vectors<Wycheproof>(`wycheproof/${file}.json`)) {
          const secret = BigInt(`0x${t.private}`)
            .toString(16)
            .padStart(2 * length, '0');
          const uncompressed = t.public.startsWith('04');
          const peer = uncompressed ? t.public.slice(2) : t.public;
          if (t.result === 'valid') assert.equal(agree(group, secret, peer), t.shared, `${t.tcId} ${t.comment}`);
          else assert.throws(() => agree(group, secret, peer), refusal, `${t.tcId} ${t.comment}`);
        }
      });
    }

    it('refuses a public value of another length (RFC 7296 §3.4)', () => {
      for (const group of groups) {
        const { requestLength: publicLength, conclude: agree } = exchange(crypto, group);
        assert.equal(publicLength, publicLengths[group]);
        for (const length of [0, 1, publicLength - 1, publicLength + 1, 2 * publicLength])
          assert.throws(() => agree(new Uint8Array(500), new Uint8Array(length).fill(1)), refusal);
      }
    });

    it('refuses 0, 1, p - 1, p and more in a MODP group (RFC 6989 §2.1), and takes the next ones', () => {
      for (const [group, prime] of Object.entries(modps)) {
        const { conclude: agree, requestLength: publicLength } = exchange(crypto, Number(group));
        const value = (number: bigint): Bytes => unhex(number.toString(16).padStart(2 * publicLength, '0'));
        const privateKey = Uint8Array.of(3);
        for (const bad of [0n, 1n, prime - 1n, prime, prime + 1n, 2n ** BigInt(8 * publicLength) - 1n])
          assert.throws(() => agree(privateKey, value(bad)), refusal);
        assert.deepEqual(agree(privateKey, value(2n)), value(8n));
        assert.deepEqual(agree(privateKey, value(prime - 2n)), value(prime - 8n));
      }
    });

    it('pads public values and shared secrets to the length of the group (RFC 7296 §2.14)', () => {
      // Secrets found by search, whose results begin with a zero byte.
      for (const { group, secret, peer } of shortOnes) {
        const { publicValue } = pairOf(group, secret);
        assert.equal(publicValue.length, publicLengths[group]);
        assert.equal(publicValue[0], 0);
        const shared = unhex(agree(group, secret, hex(pairOf(group, peer).publicValue)));
        assert.equal(shared.length, group < 19 ? publicLengths[group] : publicLengths[group]! / 2);
        assert.equal(shared[0], 0);
      }
    });

    it('draws a scalar anew that is out of range, and gives up on a source that is stuck', () => {
      const order = unhex('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');
      const draws = [new Uint8Array(32), order, unhex('ff'.repeat(32)), unhex('01'.repeat(32))];
      const { privateKey } = exchange(crypto, 19).generate(() => draws.shift()!);
      assert.equal(hex(privateKey.subarray(0, 32)), '01'.repeat(32));
      assert.throws(() => exchange(crypto, 19).generate((length) => new Uint8Array(length)), /random source/);
    });

    it('never has a short secret in a MODP group, whatever the source gives', () => {
      for (const group of [14, 15, 16]) {
        const { privateKey, publicValue } = exchange(crypto, group).generate((length) => new Uint8Array(length));
        assert.equal(hex(privateKey), `80${'00'.repeat(secretLengths[group]! - 1)}${hex(publicValue)}`);
      }
    });

    it('leaves the bytes alone that the random source gave', () => {
      for (const group of [14, 21, 31]) {
        const given = new Uint8Array(secretLengths[group]!).fill(0x55);
        exchange(crypto, group).generate(() => given);
        assert.ok(given.every((byte) => byte === 0x55));
      }
    });

    it('answers plain bytes', () => {
      for (const group of [14, 19, 20, 31]) {
        const { privateKey, publicValue } = pairOf(group, '55'.repeat(secretLengths[group]!));
        for (const answer of [privateKey, publicValue, exchange(crypto, group).conclude(privateKey, publicValue)])
          assert.equal(Object.getPrototypeOf(answer), Uint8Array.prototype);
      }
    });
  });
}

const lastBytes = [
  [14, '0736', '755c'],
  [15, '0234', '7557'],
  [16, '02ba', '7770'],
  [19, '002e', '75df'],
  [20, '002b', '75a8'],
] as const;
const shortOnes = lastBytes.map(([group, secret, peer]) => {
  const start = '33'.repeat(secretLengths[group]! - 2);
  return { group, secret: start + secret, peer: start + peer };
});

describe('two providers', () => {
  it('make the same key pair of the same random bytes and agree with either half of it', () => {
    for (const [group, numRuns] of [
      [31, 20],
      [19, 8],
      [20, 3],
      [21, 2],
      [14, 3],
      [15, 2],
      [16, 1],
    ] as const) {
      const secret = fc.uint8Array({ minLength: secretLengths[group]!, maxLength: secretLengths[group]! });
      const [a, b] = [exchange(noble, group), exchange(openssl, group)];
      fc.assert(
        fc.property(secret, secret, (one, other) => {
          const [ours, theirs] = [a.generate(nonZero(one)), b.generate(nonZero(other))];
          assert.deepEqual(b.generate(nonZero(one)), ours);
          assert.deepEqual(b.conclude(theirs.privateKey, ours.publicValue), a.conclude(ours.privateKey, theirs.publicValue));
          assert.deepEqual(b.conclude(ours.privateKey, theirs.publicValue), a.conclude(theirs.privateKey, ours.publicValue));
        }),
        { numRuns },
      );
    }
  });

  it('refuse the same arbitrary bytes', () => {
    for (const group of [19, 20, 31]) {
      const value = fc.uint8Array({ minLength: publicLengths[group]!, maxLength: publicLengths[group]! });
      const { privateKey } = exchange(openssl, group).generate((length) => new Uint8Array(length).fill(7));
      fc.assert(
        fc.property(value, (peer) => {
          const [one, other] = providers.map((crypto) => outcome(() => hex(exchange(crypto, group).conclude(privateKey, peer))));
          assert.equal(one, other);
        }),
        { numRuns: 20 },
      );
    }
  });
});

describe('the primes of RFC 3526', () => {
  it('are those of OpenSSL', () => {
    for (const [name, prime] of Object.entries(modpPrimes))
      assert.equal(prime.toString(16), getDiffieHellman(name).getPrime('hex'));
  });

  it('are 2^n - 2^(n-64) - 1 + 2^64 (floor (2^(n-130) pi) + c)', () => {
    for (const [bits, c, prime] of [
      [1024n, 129093n, modpPrimes.modp2],
      [2048n, 124476n, modpPrimes.modp14],
      [3072n, 1690314n, modpPrimes.modp15],
      [4096n, 240904n, modpPrimes.modp16],
    ] as const)
      assert.equal(2n ** bits - 2n ** (bits - 64n) - 1n + 2n ** 64n * (pi(bits - 130n) + c), prime);
  });
});

const nonZero = (secret: Bytes) => () => concat(secret.subarray(0, -1), Uint8Array.of(secret[secret.length - 1]! | 1));

function outcome(agree: () => string): string {
  try {
    return agree();
  } catch (error) {
    assert.ok(refusal(error));
    return 'refused';
  }
}

/** floor (2^bits pi), by Machin's formula. */
function pi(bits: bigint): bigint {
  const guard = 64n;
  const one = 2n ** (bits + guard);
  return (4n * (4n * arctan(5n, one) - arctan(239n, one))) >> guard;
}

function arctan(inverse: bigint, one: bigint): bigint {
  let sum = 0n;
  for (let power = one / inverse, n = 1n; power !== 0n; power /= inverse * inverse, n += 2n)
    sum += n % 4n === 1n ? power / n : -(power / n);
  return sum;
}
