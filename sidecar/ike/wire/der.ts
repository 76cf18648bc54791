/** Distinguished encoding of ASN.1 (X.690 §10): a cursor over elements, strict, which hands out the bytes as they stand. */
import { ProtocolError } from '../error.ts';
import type { Bytes } from './bytes.ts';

/** Identifier octets of what certificates, keys and signatures are made of. */
export const Tag = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  NULL: 0x05,
  OBJECT_IDENTIFIER: 0x06,
  ENUMERATED: 0x0a,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  SEQUENCE: 0x30,
  SET: 0x31,
} as const;

/** `[number]`: of a constructed value, or of a primitive one that is tagged implicitly. */
export const constructed = (number: number): number => 0xa0 | number;
export const implicit = (number: number): number => 0x80 | number;

export interface Element {
  readonly tag: number;
  readonly body: Bytes;
  /** With tag and length. */
  readonly whole: Bytes;
}

/** Everything it throws is a ProtocolError (malformed). Elements are views, not copies. */
export class DerReader {
  readonly #bytes: Bytes;
  #at = 0;

  constructor(bytes: Bytes) {
    // A socket delivers Buffers, whose views are Buffers again; inside there is one kind of bytes only.
    this.#bytes = bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** Whether an element with this tag comes next. */
  sees(tag: number): boolean {
    return this.left > 0 && this.#bytes[this.#at] === tag;
  }

  /** The next element, which must have this tag when one is named. */
  element(tag?: number): Element {
    const start = this.#at;
    const [found, body] = this.#next(tag);
    return { tag: found, body, whole: this.#bytes.subarray(start, this.#at) };
  }

  /** The next element when it has this tag. */
  optional(tag: number): Element | undefined {
    return this.sees(tag) ? this.element(tag) : undefined;
  }

  /** What is inside of the next element. */
  enter(tag: number): DerReader {
    const [, body] = this.#next(tag);
    return new DerReader(body);
  }

  end(): void {
    if (this.left !== 0) throw ProtocolError.malformed(`DER: ${this.left} trailing bytes`);
  }

  /** All elements up to the end, which must not be more than `most`. */
  elements(tag?: number, most = Number.POSITIVE_INFINITY): readonly Element[] {
    const found: Element[] = [];
    while (this.left > 0) {
      if (found.length >= most) throw ProtocolError.malformed(`DER: more than ${most} elements`);
      found.push(this.element(tag));
    }
    return found;
  }

  #next(tag: number | undefined): readonly [tag: number, body: Bytes] {
    const found = this.#byte();
    if (tag !== undefined && found !== tag) throw ProtocolError.malformed(`DER: tag ${found} instead of ${tag}`);
    // X.690 §8.1.2.4: numbers above 30, of which there are none here.
    if ((found & 0x1f) === 0x1f) throw ProtocolError.malformed('DER: a tag of several bytes');
    const length = this.#length();
    if (length > this.left) throw ProtocolError.malformed(`DER: wanted ${length} bytes, ${this.left} left`);
    const start = this.#at;
    this.#at += length;
    return [found, this.#bytes.subarray(start, this.#at)];
  }

  /** X.690 §10.1: definite, in as few bytes as possible. */
  #length(): number {
    const first = this.#byte();
    if (first < 0x80) return first;
    const count = first & 0x7f;
    if (count === 0 || count > 4) throw ProtocolError.malformed('DER: a length of no or too many bytes');
    let length = 0;
    for (let i = 0; i < count; i++) length = length * 0x100 + this.#byte();
    if (length < 0x80 || length < 0x100 ** (count - 1)) throw ProtocolError.malformed('DER: a length longer than need be');
    return length;
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw ProtocolError.malformed('DER: cut off');
    this.#at += 1;
    return byte;
  }
}

/** The one element that the bytes are, and nothing after it. */
export function soleElement(bytes: Bytes, tag: number): DerReader {
  const reader = new DerReader(bytes);
  const inside = reader.enter(tag);
  reader.end();
  return inside;
}

/** Of a BIT STRING of whole bytes. */
export function bitString({ body }: Element): Bytes {
  if (body[0] !== 0) throw ProtocolError.malformed('DER: a bit string that ends within a byte');
  return body.subarray(1);
}

/** The bytes of an element. */
export function encodeDer(tag: number, body: Bytes): Bytes {
  const digits: number[] = [];
  for (let rest = body.length; rest > 0; rest = Math.floor(rest / 0x100)) digits.unshift(rest & 0xff);
  const length = body.length < 0x80 ? [body.length] : [0x80 | digits.length, ...digits];
  const out = new Uint8Array(1 + length.length + body.length);
  out.set([tag, ...length]);
  out.set(body, 1 + length.length);
  return out;
}
