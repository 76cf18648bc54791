/**
 * The OpenSSL that is inside the Node binary, called directly: node:crypto makes an object for every MAC and every packet, which costs more than the
 * work itself. A Node that hides its OpenSSL, or a machine for which koffi has no binary, has none of this; node:crypto serves there.
 */
import type { Bytes } from '../../wire/bytes.ts';

/** A pointer of C; nothing here looks behind it. */
export type Pointer = { readonly pointer: unique symbol };
type Value = Pointer | Bytes | BigUint64Array | Int32Array | number | string | null | readonly Parameter[];
export type Call<Result> = (...values: readonly Value[]) => Result;

/** An OSSL_PARAM. */
export interface Parameter {
  readonly key: string | null;
  readonly type: number;
  readonly data: string | null;
  readonly size: number;
  readonly ret: number;
}

export interface Library {
  /** Parameters are C types: bytes are `void *`, in and out. @throws Error for a symbol that is not there. */
  func(result: 'int', name: string, parameters: readonly string[]): Call<number>;
  func(result: 'void *', name: string, parameters: readonly string[]): Call<Pointer | null>;
  func(result: 'void', name: string, parameters: readonly string[]): Call<void>;
}

export async function loadLibrary(): Promise<Library> {
  const { default: koffi } = await import('koffi');
  const itself = koffi.load(null);
  koffi.struct('OSSL_PARAM', { key: 'const char *', type: 'unsigned int', data: 'const char *', size: 'size_t', ret: 'size_t' });
  return {
    func: (result: string, name: string, parameters: readonly string[]) => itself.func(name, result, [...parameters]) as never,
  };
}

/** An OSSL_PARAM array of one text. */
export const textParameter = (key: string, data: string): readonly Parameter[] => [
  { key, type: UTF8_STRING, data, size: data.length, ret: 0 },
  { key: null, type: 0, data: null, size: 0, ret: 0 },
];
const UTF8_STRING = 4;

/** What OpenSSL answers when there is no such thing. @throws Error */
export function there(what: string, pointer: Pointer | null): Pointer {
  if (pointer === null) throw new Error(`OpenSSL has no ${what}`);
  return pointer;
}

/** 1 is success in all of OpenSSL. @throws Error */
export function done(result: number, doing: string): void {
  if (result !== 1) throw new Error(`OpenSSL: ${doing} failed`);
}
