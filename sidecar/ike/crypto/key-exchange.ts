/** Key exchange methods by IANA number: MODP (RFC 2409, RFC 3526), ECP (RFC 5903), Curve25519 (RFC 8031), ML-KEM (FIPS 203, draft-ietf-ipsecme-ikev2-mlkem). */
import { ProtocolError } from '../error.ts';
import { type Bytes, concat, hex } from '../wire/bytes.ts';
import { Ke } from '../wire/registry.ts';
import type { KeyExchange } from './cryptography.ts';
import { modpPrimes } from './modp-primes.ts';
import type { Curve, Group, Groups, Kem, Modp } from './provider.ts';

type Random = (length: number) => Bytes;

export const keyExchanges = (groups: Groups): readonly KeyExchange[] => [
  // RFC 8247 §2.4: within reach of some; for clients that have nothing better, and policies that name it.
  modp(Ke.MODP_1024, 'modp2', 128, 32, groups),
  modp(Ke.MODP_2048, 'modp14', 256, 32, groups),
  modp(Ke.MODP_3072, 'modp15', 384, 40, groups),
  modp(Ke.MODP_4096, 'modp16', 512, 48, groups),
  ecp(Ke.ECP_256, 'P-256', 32, groups),
  ecp(Ke.ECP_384, 'P-384', 48, groups),
  ecp(Ke.ECP_521, 'P-521', 66, groups),
  curve25519(groups.x25519),
  mlKem(Ke.ML_KEM_512, { requestLength: 800, responseLength: 768 }, groups.mlKem['ML-KEM-512']),
  mlKem(Ke.ML_KEM_768, { requestLength: 1_184, responseLength: 1_088 }, groups.mlKem['ML-KEM-768']),
  mlKem(Ke.ML_KEM_1024, { requestLength: 1_568, responseLength: 1_568 }, groups.mlKem['ML-KEM-1024']),
];

function curve25519(group: Group): KeyExchange {
  const draw = (random: Random): Bytes => random(32);
  return keyExchange(Ke.CURVE25519, { secretLength: 32, publicLength: 32 }, group, draw);
}

function ecp(id: number, curve: Curve, length: number, groups: Groups): KeyExchange {
  const order = orders[curve];
  return keyExchange(id, { secretLength: length, publicLength: 2 * length }, groups.ecp[curve], (random) =>
    scalarBelow(order, length, random),
  );
}

/** Secrets of 256, 320 and 384 bits: more than twice the strength of the groups, 110, 130 and 150 bits (RFC 3526 §8, first estimate). */
function modp(id: number, name: Modp, publicLength: number, secretLength: number, groups: Groups): KeyExchange {
  const group = groups.modp[name];
  const last = modpPrimes[name] - 1n;
  const draw = (random: Random): Bytes => {
    const secret = random(secretLength).slice();
    secret[0] = secret[0]! | 0x80; // never short, let alone zero
    return secret;
  };
  return keyExchange(id, { secretLength, publicLength }, group, draw, (peerValue) => {
    const value = BigInt(`0x${hex(peerValue)}`);
    // RFC 6989 §2.1: 1 < y < p - 1.
    if (value <= 1n || value >= last) throw ProtocolError.malformed('public value out of range');
  });
}

/** The private key is the secret and, after it, its public value, which is dear to compute again on some curves. */
function keyExchange(
  id: number,
  { secretLength, publicLength }: { readonly secretLength: number; readonly publicLength: number },
  group: Group,
  draw: (random: Random) => Bytes,
  check: (peerValue: Bytes) => void = () => {},
): KeyExchange {
  const generate = (random: Random) => {
    const secret = draw(random);
    const publicValue = group.publicValue(secret);
    return { privateKey: concat(secret, publicValue), publicValue };
  };
  const conclude = (privateKey: Bytes, peerValue: Bytes): Bytes => {
    demandLength(peerValue, publicLength);
    check(peerValue);
    return refusing(() => group.agree(privateKey.subarray(0, secretLength), privateKey.subarray(secretLength), peerValue));
  };
  return {
    ...{ id, postQuantum: false, requestLength: publicLength, responseLength: publicLength, generate, conclude },
    respond(peerValue, random) {
      const { privateKey, publicValue } = generate(random);
      return { publicValue, shared: conclude(privateKey, peerValue) };
    },
  };
}

/** The private key is the seed d | z (FIPS 203 §7.1). */
function mlKem(id: number, lengths: Pick<KeyExchange, 'requestLength' | 'responseLength'>, kem: Kem): KeyExchange {
  return {
    ...{ id, postQuantum: true, ...lengths },
    generate(random) {
      const seed = random(64).slice();
      return { privateKey: seed, publicValue: kem.publicValue(seed) };
    },
    respond(peerValue) {
      // FIPS 203 §7.2, §7.3: the checks of type, here and in the library.
      demandLength(peerValue, lengths.requestLength);
      const { ciphertext, shared } = refusing(() => kem.encapsulate(peerValue));
      return { publicValue: ciphertext, shared };
    },
    conclude(seed, ciphertext) {
      demandLength(ciphertext, lengths.responseLength);
      return kem.decapsulate(seed, ciphertext);
    },
  };
}

/** RFC 7296 §3.4: the length is that of the group. */
function demandLength({ length }: Bytes, wanted: number): void {
  if (length !== wanted) throw ProtocolError.malformed(`public value of ${length} bytes instead of ${wanted}`);
}

/** RFC 6989 §2.3: a point that is not on the curve; RFC 7748 §6.1: a result that is all zero. The libraries look, and throw. */
function refusing<T>(agree: () => T): T {
  try {
    return agree();
  } catch {
    throw ProtocolError.malformed('public value that the group forbids');
  }
}

const orders: Readonly<Record<Curve, bigint>> = {
  'P-256': 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  'P-384': 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  'P-521':
    0x01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
};

/** Drawn anew while it is out of range, which happens once in 2^32 at most. */
function scalarBelow(order: bigint, length: number, random: Random): Bytes {
  const topMask = 0xff >>> (8 * length - order.toString(2).length);
  for (let attempt = 0; attempt < 16; attempt++) {
    const scalar = random(length).slice();
    scalar[0] = scalar[0]! & topMask;
    const value = BigInt(`0x${hex(scalar)}`);
    if (value !== 0n && value < order) return scalar;
  }
  throw new Error('the random source keeps giving numbers out of range');
}
