/** State as bytes, for what is sealed and opened again by gateways of ours: tickets and SAs that move. Deterministic CBOR (RFC 8949 §4.2). */
import { decode, encode, Tokenizer } from 'cborg';
import { ProtocolError } from '../error.ts';
import { type Bytes, equalBytes } from './bytes.ts';

export type Plain = null | undefined | boolean | number | string | Bytes | readonly Plain[] | { readonly [key: string]: Plain };

/** `T` if every part of it is plain: `Plain` itself has no place for interfaces, which lack an index signature. */
type PlainOf<T> = T extends Plain
  ? T
  : T extends (...args: never) => unknown
    ? never
    : T extends object
      ? { readonly [K in keyof T]: PlainOf<T[K]> }
      : never;

const MAX_DEPTH = 32;

/** @throws RangeError for NaN, which no state of ours contains. */
export function encodeCbor<T>(value: T & PlainOf<T>): Bytes {
  return plainBytes(encode(value, { typeEncoders: { number: refuseNaN } }));
}

/** @throws ProtocolError (malformed) for anything that `encodeCbor` would not have written, and for what nests too deep. */
export function decodeCbor(bytes: Bytes): Plain {
  const input = plainBytes(bytes);
  const value = tryDecode(input);
  // RFC 8949 §4.2: one value has one encoding; this leaves no second spelling of text, of a number or of an order of keys.
  if (!equalBytes(encodeCbor(value), input)) throw ProtocolError.malformed('not deterministic CBOR');
  return value;
}

function tryDecode(input: Bytes): Plain {
  try {
    return decode(input, { ...options, tokenizer: new ShallowTokenizer(input, options) });
  } catch {
    throw ProtocolError.malformed('not CBOR of plain data');
  }
}

const options = {
  strict: true,
  allowIndefinite: false,
  allowUndefined: true,
  allowInfinity: true, // a state may be due never
  allowNaN: false,
  allowBigInt: false,
  rejectDuplicateMapKeys: true,
};

/** Counts what is open, so that nesting ends with an error and not with the stack. */
class ShallowTokenizer extends Tokenizer {
  /** Items that are still to come, per array or map that is open. */
  readonly #open: number[] = [];

  override next() {
    const token = super.next();
    while (this.#open.at(-1) === 0) this.#open.pop();
    if (this.#open.length > 0) this.#open.push(this.#open.pop()! - 1);
    if (token.type.name === 'array') this.#open.push(token.value);
    if (token.type.name === 'map') this.#open.push(2 * token.value);
    if (this.#open.length > MAX_DEPTH) throw new RangeError('nested too deep');
    return token;
  }
}

function refuseNaN(value: number): null {
  if (Number.isNaN(value)) throw new RangeError('NaN in a state');
  return null;
}

const plainBytes = (bytes: Bytes): Bytes =>
  bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
