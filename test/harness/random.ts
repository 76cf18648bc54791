/** A reproducible stream of "random" bytes, and choices drawn from it. */
import { chacha20 } from '@noble/ciphers/chacha.js';

export type Random = (length: number) => Uint8Array;

export function seeded(seed: number): Random {
  const key = new Uint8Array(32);
  new DataView(key.buffer).setUint32(0, seed);
  const nonce = new Uint8Array(12);
  const view = new DataView(nonce.buffer);
  let counter = 0;
  return (length) => {
    view.setUint32(8, counter++);
    return chacha20(key, nonce, new Uint8Array(length));
  };
}

/** 0 ≤ answer < below. */
export const below = (random: Random, limit: number): number => {
  const [a = 0, b = 0, c = 0] = random(3);
  return (a * 65_536 + b * 256 + c) % limit;
};

export function pick<T>(random: Random, from: readonly T[]): T {
  const chosen = from[below(random, from.length)];
  if (chosen === undefined) throw new RangeError('nothing to pick from');
  return chosen;
}
