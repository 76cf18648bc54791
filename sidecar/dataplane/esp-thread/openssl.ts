/** The OpenSSL inside Node, called with addresses; what it keeps for each key. */
import type { Bytes } from '../../ike/wire/bytes.ts';
import type { Native, NativeArena, NativeCall } from './native.ts';

export const DECRYPT = 0;
export const ENCRYPT = 1;
export const LONGEST_KEY = 64;

/** Places in the scratch memory. */
export const Place = { NONCE: 0, ADDITIONAL: 16, WRITTEN: 32, REST: 48, MAC: 112, KEY: 176, NAME: 240, PARAMETERS: 272 } as const;
export const SCRATCH_BYTES = 512;
const DIGEST = 'digest';
/** OSSL_PARAM_UTF8_STRING. */
const UTF8_STRING = 4;

/** The calls that ciphers in place take. */
export class OpenSsl {
  readonly arena: NativeArena;
  /** Where the scratch memory begins in the arena, and in memory. */
  readonly scratch: number;
  readonly at: number;
  readonly init: NativeCall;
  readonly update: NativeCall;
  readonly final: NativeCall;
  readonly control: NativeCall;
  readonly random: NativeCall;
  readonly freeContext: NativeCall;
  readonly macInit: NativeCall;
  readonly macUpdate: NativeCall;
  readonly macFinal: NativeCall;
  readonly freeMac: NativeCall;
  readonly #native: Native;
  readonly #setPadding: NativeCall;
  readonly #newContext: NativeCall;
  readonly #newMac: NativeCall;
  readonly #algorithms = new Map<string, number>();

  constructor(native: Native, arena: NativeArena, scratch: number) {
    this.#native = native;
    this.arena = arena;
    this.scratch = scratch;
    this.at = arena.base + scratch;
    const func = (signature: string): NativeCall => native.func(signature);
    this.init = func('int EVP_CipherInit_ex2(uintptr_t, uintptr_t, uintptr_t, uintptr_t, int, uintptr_t)');
    this.update = func('int EVP_CipherUpdate(uintptr_t, uintptr_t, uintptr_t, uintptr_t, int)');
    this.final = func('int EVP_CipherFinal_ex(uintptr_t, uintptr_t, uintptr_t)');
    this.control = func('int EVP_CIPHER_CTX_ctrl(uintptr_t, int, int, uintptr_t)');
    this.random = func('int RAND_bytes(uintptr_t, int)');
    this.freeContext = func('void EVP_CIPHER_CTX_free(uintptr_t)');
    this.macInit = func('int EVP_MAC_init(uintptr_t, uintptr_t, size_t, uintptr_t)');
    this.macUpdate = func('int EVP_MAC_update(uintptr_t, uintptr_t, size_t)');
    this.macFinal = func('int EVP_MAC_final(uintptr_t, uintptr_t, uintptr_t, size_t)');
    this.freeMac = func('void EVP_MAC_CTX_free(uintptr_t)');
    this.#newContext = func('uintptr_t EVP_CIPHER_CTX_new()');
    this.#setPadding = func('int EVP_CIPHER_CTX_set_padding(uintptr_t, int)');
    this.#newMac = func('uintptr_t EVP_MAC_CTX_new(uintptr_t)');
  }

  /** That keeps this key. */
  context(name: string, key: Bytes, direction: number): number {
    const context = there('cipher context', this.#newContext());
    this.#withKey(key, (at) => done(this.init(context, this.#find('EVP_CIPHER_fetch', name), at, 0, direction, 0), name));
    done(this.#setPadding(context, 0), name);
    return context;
  }

  macContext(digest: string, key: Bytes): number {
    const context = there('MAC context', this.#newMac(this.#find('EVP_MAC_fetch', 'HMAC')));
    this.#withKey(key, (at) => done(this.macInit(context, at, key.length, this.#digestParameter(digest)), 'HMAC'));
    return context;
  }

  #find(symbol: string, name: string): number {
    const known = this.#algorithms.get(name) ?? there(name, this.#native.fetch(symbol, name));
    this.#algorithms.set(name, known);
    return known;
  }

  /** The key does not stay in the scratch memory. */
  #withKey(key: Bytes, use: (at: number) => void): void {
    const { bytes } = this.arena;
    bytes.set(key, this.scratch + Place.KEY);
    use(this.at + Place.KEY);
    bytes.fill(0, this.scratch + Place.KEY, this.scratch + Place.KEY + LONGEST_KEY);
  }

  /** OSSL_PARAM { key, data_type, data, data_size, return_size }, and one of zeros that ends them. */
  #digestParameter(digest: string): number {
    const { bytes, view } = this.arena;
    const encoder = new TextEncoder();
    bytes.fill(0, this.scratch + Place.NAME, this.scratch + SCRATCH_BYTES);
    bytes.set(encoder.encode(DIGEST), this.scratch + Place.NAME);
    bytes.set(encoder.encode(digest), this.scratch + Place.NAME + 16);
    const at = this.scratch + Place.PARAMETERS;
    view.setBigUint64(at, BigInt(this.at + Place.NAME), true);
    view.setUint32(at + 8, UTF8_STRING, true);
    view.setBigUint64(at + 16, BigInt(this.at + Place.NAME + 16), true);
    view.setBigUint64(at + 24, BigInt(digest.length), true);
    return this.at + Place.PARAMETERS;
  }
}

/** What OpenSSL answers when there is no such thing. @throws Error */
function there(what: string, address: number): number {
  if (address === 0) throw new Error(`OpenSSL has no ${what}`);
  return address;
}

/** 1 is success in all of OpenSSL. @throws Error */
export function done(result: number, doing: string): void {
  if (result !== 1) throw new Error(`OpenSSL: ${doing} failed`);
}
