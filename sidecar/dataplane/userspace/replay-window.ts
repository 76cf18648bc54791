/** Anti-replay and the high half of extended sequence numbers on the receiving side (RFC 4303 §3.4.3, appendix A). */
import { HALF, LAST_SEQUENCE } from './sequence.ts';

/** A ring of one bit per sequence number, `size` of them up to the highest authentic one. */
export class ReplayWindow {
  readonly #size: number;
  readonly #esn: boolean;
  readonly #seen: Uint32Array;
  #top: number;

  /** `size` is rounded up to a multiple of 32 and is at least 64; everything up to `top` counts as seen. */
  constructor(size: number, esn: boolean, top = 0) {
    this.#size = Math.ceil(Math.max(size, 64) / 32) * 32;
    this.#esn = esn;
    this.#top = top;
    // RFC 4303 §3.3.3: the first packet has number 1, so 0 is never a new one.
    this.#seen = new Uint32Array(this.#size / 32).fill(0xffff_ffff);
  }

  /** The highest sequence number that was accepted. */
  get top(): number {
    return this.#top;
  }

  /** The whole sequence number for the 32 bits on the wire; undefined for a replay or what is left of the window. Changes nothing. */
  admit(low: number): number | undefined {
    const sequence = this.#esn ? this.#extend(low) : low;
    if (sequence < 1 || sequence > LAST_SEQUENCE.esn) return undefined;
    if (sequence > this.#top) return sequence;
    return sequence > this.#top - this.#size && !this.#has(sequence) ? sequence : undefined;
  }

  /** Marks a number that `admit` gave, once the packet proved authentic (RFC 4303 §3.4.3). Answers whether it is the newest. */
  accept(sequence: number): boolean {
    const newest = sequence > this.#top;
    if (newest) this.#advance(sequence);
    const bit = sequence % this.#size;
    this.#seen[bit >>> 5] = this.#word(bit) | (1 << (bit & 31));
    return newest;
  }

  /** RFC 4303 appendix A2.2; the window lies within one half (case A) or across the border of two (case B). */
  #extend(low: number): number {
    const topLow = this.#top % HALF;
    const topHigh = this.#top - topLow;
    const bottom = topLow - this.#size + 1;
    if (bottom >= 0) return low >= bottom ? topHigh + low : topHigh + HALF + low;
    return low >= bottom + HALF ? topHigh - HALF + low : topHigh + low;
  }

  #advance(sequence: number): void {
    if (sequence - this.#top >= this.#size) this.#seen.fill(0);
    else for (let passed = this.#top + 1; passed < sequence; passed++) this.#clear(passed % this.#size);
    this.#top = sequence;
  }

  #has(sequence: number): boolean {
    const bit = sequence % this.#size;
    return (this.#word(bit) & (1 << (bit & 31))) !== 0;
  }

  #clear(bit: number): void {
    this.#seen[bit >>> 5] = this.#word(bit) & ~(1 << (bit & 31));
  }

  #word(bit: number): number {
    return this.#seen[bit >>> 5] ?? 0;
  }
}
