/** MODP Diffie-Hellman (RFC 3526) in bigint arithmetic. */
import { type Bytes, hex, unhex } from '../../wire/bytes.ts';
import { modpPrimes } from '../modp-primes.ts';
import type { Group, Modp } from '../provider.ts';

export function modpGroup(name: Modp): Group {
  const prime = modpPrimes[name];
  const digits = prime.toString(16).length;
  const encode = (value: bigint): Bytes => unhex(value.toString(16).padStart(digits, '0'));
  return {
    publicValue: (secret) => encode(power(2n, secret, prime)),
    agree: (secret, _own, peerValue) => encode(power(BigInt(`0x${hex(peerValue)}`), secret, prime)),
  };
}

/** In windows of 4 bits with a multiplication for each, zero or not: the steps depend on the length of the exponent only (what a bigint does within a step, nobody promises). */
function power(base: bigint, exponent: Bytes, modulus: bigint): bigint {
  const powers = [1n];
  for (let i = 1; i < 16; i++) powers.push((powers[i - 1]! * base) % modulus);
  let result = 1n;
  const window = (digit: number): void => {
    for (let i = 0; i < 4; i++) result = (result * result) % modulus;
    result = (result * powers[digit]!) % modulus;
  };
  for (const byte of exponent) {
    window(byte >>> 4);
    window(byte & 15);
  }
  return result;
}
