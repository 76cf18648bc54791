/**
 * XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03 §2), which OpenSSL lacks, out of the ChaCha20 that it has: HChaCha20 makes a subkey
 * of the key and 16 bytes of the nonce, ChaCha20-Poly1305 does the rest. Noble's takes 1.7 times as long for a ticket.
 */
import { createCipheriv } from 'node:crypto';
import type { Bytes } from '../../wire/bytes.ts';
import type { Aead } from '../provider.ts';

export const xchacha20 = (chacha20Poly1305: Aead, chacha20: Stream = nodeChacha20): Aead => ({
  seal: (key, nonce, plaintext, aad) =>
    chacha20Poly1305.seal(hchacha20(chacha20, key, nonce.subarray(0, 16)), tailNonce(nonce), plaintext, aad),
  open: (key, nonce, sealed, aad) =>
    chacha20Poly1305.open(hchacha20(chacha20, key, nonce.subarray(0, 16)), tailNonce(nonce), sealed, aad),
});

/** Encrypts; `iv` is the block counter, 4 bytes in little endian, and the nonce. */
type Stream = (key: Bytes, iv: Bytes, data: Bytes) => Bytes;
const nodeChacha20: Stream = (key, iv, data) => createCipheriv('chacha20', key, iv).update(data);

const CONSTANTS = new TextEncoder().encode('expand 32-byte k');
const BLOCK = new Uint8Array(64);

/**
 * A ChaCha20 block is the rounds' outcome plus what went in; HChaCha20 is the first and the last row of the outcome.
 * So both rows are the key stream less what is known to have gone in: the constants, and the 16 bytes that stand where counter and nonce do.
 */
function hchacha20(chacha20: Stream, key: Bytes, input: Bytes): Bytes {
  const stream = chacha20(key, input, BLOCK);
  const out = new Uint8Array(32);
  subtractWords(out.subarray(0, 16), stream.subarray(0, 16), CONSTANTS);
  subtractWords(out.subarray(16), stream.subarray(48), input);
  return out;
}

/** Four little-endian words, modulo 2^32: byte by byte with a borrow. */
function subtractWords(out: Bytes, from: Bytes, what: Bytes): void {
  for (let word = 0; word < 16; word += 4) {
    for (let at = word, borrow = 0; at < word + 4; at++) {
      const difference = (from[at] ?? 0) - (what[at] ?? 0) - borrow;
      out[at] = difference; // a byte array keeps the low eight bits
      borrow = difference < 0 ? 1 : 0;
    }
  }
}

/** Four zero bytes, then the last eight of the nonce. */
function tailNonce(nonce: Bytes): Bytes {
  const tail = new Uint8Array(12);
  tail.set(nonce.subarray(16, 24), 4);
  return tail;
}
