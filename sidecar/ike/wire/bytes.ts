/** Reading and writing of big-endian structures (RFC 7296 §3.1), and what else is done with bytes everywhere. */
import { ProtocolError } from '../error.ts';

export type Bytes = Uint8Array;

export const EMPTY: Bytes = new Uint8Array(0);

/** A cursor over bytes that nobody changes; what it hands out are views, not copies. Running off the end is a malformed message. */
export class Reader {
  readonly #bytes: Bytes;
  #at = 0;

  constructor(bytes: Bytes) {
    // A socket delivers Buffers, whose views are Buffers again; inside there is one kind of bytes only.
    this.#bytes = bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  take(length: number): Bytes {
    const start = this.#advance(length);
    return this.#bytes.subarray(start, this.#at);
  }

  skip(length: number): void {
    this.#advance(length);
  }

  u8(): number {
    return this.#bytes[this.#advance(1)]!;
  }

  u16(): number {
    const start = this.#advance(2);
    return (this.#bytes[start]! << 8) | this.#bytes[start + 1]!;
  }

  u32(): number {
    return this.u16() * 0x1_0000 + this.u16();
  }

  rest(): Bytes {
    return this.take(this.left);
  }

  /** A reader confined to the next `length` bytes; nested structures cannot read past their own length field. */
  sub(length: number): Reader {
    return new Reader(this.take(length));
  }

  end(): void {
    if (this.left !== 0) throw ProtocolError.malformed(`${this.left} trailing bytes`);
  }

  /** Moves on and answers where the cursor was. */
  #advance(length: number): number {
    if (length < 0 || length > this.left) throw ProtocolError.malformed(`wanted ${length} bytes, ${this.left} left`);
    const start = this.#at;
    this.#at += length;
    return start;
  }
}

/** Bytes that grow. A number that does not fit its field is a mistake of ours, hence a RangeError and never a truncated length. */
export class Writer {
  #bytes: Bytes;
  #length = 0;

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    const at = this.#grow(1);
    this.#bytes[at] = within(value, 0xff);
    return this;
  }

  u16(value: number): this {
    const at = this.#grow(2);
    this.u16At(at, value);
    return this;
  }

  u32(value: number): this {
    within(value, 0xffff_ffff);
    return this.u16(Math.floor(value / 0x1_0000)).u16(value % 0x1_0000);
  }

  bytes(value: Bytes): this {
    const at = this.#grow(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  /** Fills in a length that was not known yet. */
  u16At(at: number, value: number): void {
    within(value, 0xffff);
    this.#bytes[at] = value >>> 8;
    this.#bytes[at + 1] = value & 0xff;
  }

  finish(): Bytes {
    return this.#bytes.slice(0, this.#length);
  }

  /** Makes room and answers where it begins. */
  #grow(by: number): number {
    const at = this.#length;
    this.#length += by;
    if (this.#length > this.#bytes.length) {
      const wider = new Uint8Array(Math.max(this.#length, 2 * this.#bytes.length));
      wider.set(this.#bytes.subarray(0, at));
      this.#bytes = wider;
    }
    return at;
  }
}

function within(value: number, max: number): number {
  if (!Number.isInteger(value) || value < 0 || value > max) throw new RangeError(`${value} is not between 0 and ${max}`);
  return value;
}

const hexPairs = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Native where V8 has it: every SPI and every identity goes through here. */
export const hex: (bytes: Bytes) => string =
  'toHex' in Uint8Array.prototype ? (bytes) => (bytes as Bytes & { toHex(): string }).toHex() : hexOfPairs;

function hexOfPairs(bytes: Bytes): string {
  let out = '';
  for (let i = 0; i < bytes.length; i++) out += hexPairs[bytes[i]!]!;
  return out;
}

/** @throws RangeError for anything but pairs of hexadecimal digits. */
export function unhex(text: string): Bytes {
  const out = new Uint8Array(text.length >> 1);
  if (text.length % 2 !== 0) throw new RangeError('an odd number of hexadecimal digits');
  for (let i = 0; i < out.length; i++) out[i] = (digit(text.charCodeAt(2 * i)) << 4) | digit(text.charCodeAt(2 * i + 1));
  return out;
}

function digit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  if (letter >= 0x61 && letter <= 0x66) return letter - 0x61 + 10;
  throw new RangeError('not a hexadecimal digit');
}

export function concat(...parts: readonly Bytes[]): Bytes {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Takes a time that depends on the lengths only. */
export function equalBytes(a: Bytes, b: Bytes): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export const utf8 = (text: string): Bytes => encoder.encode(text);

/** The text of UTF-8 bytes; different bytes give different texts. @throws ProtocolError (malformed) when they are not UTF-8. */
export function text(bytes: Bytes): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw ProtocolError.malformed('not UTF-8');
  }
}

export const u32Bytes = (value: number): Bytes => new Writer(4).u32(value).finish();
