/** Random bytes in small pieces: one system call for many, each byte given out once and erased here. */
import { randomFillSync } from 'node:crypto';

const POOL_LENGTH = 8_192;

export function pooledRandom(): (length: number) => Uint8Array {
  const pool = new Uint8Array(POOL_LENGTH);
  let at = POOL_LENGTH;
  return (length) => {
    if (length > POOL_LENGTH / 8) return randomFillSync(new Uint8Array(length));
    if (at + length > POOL_LENGTH) {
      randomFillSync(pool);
      at = 0;
    }
    const bytes = pool.slice(at, at + length);
    pool.fill(0, at, at + length);
    at += length;
    return bytes;
  };
}
