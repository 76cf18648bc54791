/** MD4 (RFC 1320), because NT hashes are made with it (RFC 2759 §8.3) and OpenSSL 3 has it no longer. Good for nothing else. */

const BLOCK = 64;

type Mix = (x: number, y: number, z: number) => number;

interface Round {
  readonly mix: Mix;
  readonly constant: number;
  readonly shifts: readonly [number, number, number, number];
  /** Which word of the block each of the 16 steps takes. */
  readonly words: readonly number[];
}

// RFC 1320 §3.4.
const ROUNDS: readonly Round[] = [
  {
    mix: (x, y, z) => (x & y) | (~x & z),
    constant: 0,
    shifts: [3, 7, 11, 19],
    words: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  },
  {
    mix: (x, y, z) => (x & y) | (x & z) | (y & z),
    constant: 0x5a827999,
    shifts: [3, 5, 9, 13],
    words: [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15],
  },
  {
    mix: (x, y, z) => x ^ y ^ z,
    constant: 0x6ed9eba1,
    shifts: [3, 9, 11, 15],
    words: [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15],
  },
];

/** 16 bytes. */
export function md4(message: Uint8Array): Uint8Array {
  const view = new DataView(padded(message).buffer);
  const state = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
  for (let at = 0; at < view.byteLength; at += BLOCK) {
    compress(
      state,
      Array.from({ length: 16 }, (_, index) => view.getInt32(at + 4 * index, true)),
    );
  }
  const digest = new DataView(new ArrayBuffer(16));
  for (const [index, word] of state.entries()) digest.setInt32(4 * index, word, true);
  return new Uint8Array(digest.buffer);
}

/** RFC 1320 §3.1, §3.2: one bit, zeros, and the length in bits. */
function padded(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Math.ceil((message.length + 9) / BLOCK) * BLOCK);
  bytes.set(message);
  bytes[message.length] = 0x80;
  new DataView(bytes.buffer).setBigUint64(bytes.length - 8, BigInt(8 * message.length), true);
  return bytes;
}

function compress(state: Int32Array, block: readonly number[]): void {
  let [a = 0, b = 0, c = 0, d = 0] = state;
  for (const { mix, constant, shifts, words } of ROUNDS) {
    for (const [step, word] of words.entries()) {
      const sum = (a + mix(b, c, d) + (block[word] ?? 0) + constant) | 0;
      const shift = shifts[step % 4] ?? 0;
      [a, b, c, d] = [d, (sum << shift) | (sum >>> (32 - shift)), b, c];
    }
  }
  for (const [index, word] of [a, b, c, d].entries()) state[index] = (state[index] ?? 0) + word;
}
