/** ESP ciphers by the OpenSSL inside Node, in place and with contexts that keep their keys: nothing is copied or allocated for a packet. */
import type { ChildSa } from '../../contract/dataplane.ts';
import type { Cryptography } from '../../ike/crypto/cryptography.ts';
import type { Bytes } from '../../ike/wire/bytes.ts';
import { Encr, Integ } from '../../ike/wire/registry.ts';
import { ESP_HEADER } from '../userspace/esp.ts';
import { espAlgorithms } from '../userspace/esp-algorithms.ts';
import type { EspCipher, EspCiphers } from '../userspace/esp-cipher.ts';
import { highHalf, lowHalf } from '../userspace/sequence.ts';
import type { Native, NativeArena, NativeCall } from './native.ts';

const DECRYPT = 0;
const ENCRYPT = 1;
/** Of EVP_CIPHER_CTX_ctrl. */
const GET_TAG = 0x10;
const SET_TAG = 0x11;
const SALT = 4;
const TAG = 16;
const LONGEST_KEY = 64;

/**
 * For packets in this arena; `scratch` are SCRATCH_BYTES of it. `others`: for algorithms that are not known here.
 * @throws Error when Node hides its OpenSSL.
 */
export function inPlaceCiphers(
  native: Native,
  arena: NativeArena,
  scratch: number,
  crypto: Cryptography,
  others: EspCiphers,
): EspCiphers {
  const openssl = new OpenSsl(native, arena, scratch);
  const cipher =
    (direction: number) =>
    (suite: ChildSa['suite'], keys: ChildSa['keyIn']): EspCipher => {
      const { encryption, integrity } = espAlgorithms(crypto, suite, keys);
      const name = nameOf(suite);
      const digest = digestOf(suite.integ);
      if (name === undefined) return others[direction === ENCRYPT ? 'outbound' : 'inbound'](suite, keys);
      if (!integrity)
        return new InPlaceAead(openssl, openssl.context(name, keys.encr.subarray(0, -SALT), direction), keys.encr, suite.esn);
      if (digest === undefined) return others[direction === ENCRYPT ? 'outbound' : 'inbound'](suite, keys);
      const contexts = { cipher: openssl.context(name, keys.encr, direction), mac: openssl.macContext(digest, keys.integ) };
      return new InPlaceCbc(
        openssl,
        contexts,
        { icvLength: integrity.icvLength, blockLength: encryption.blockLength },
        suite.esn,
      );
    };
  return { outbound: cipher(ENCRYPT), inbound: cipher(DECRYPT) };
}

function nameOf({ encr, keyBits }: ChildSa['suite']): string | undefined {
  if (encr === Encr.AES_GCM_16) return `AES-${keyBits}-GCM`;
  if (encr === Encr.CHACHA20_POLY1305) return 'ChaCha20-Poly1305';
  return encr === Encr.AES_CBC ? `AES-${keyBits}-CBC` : undefined;
}

function digestOf(integ: number): string | undefined {
  if (integ === Integ.HMAC_SHA2_256_128) return 'SHA256';
  if (integ === Integ.HMAC_SHA2_384_192) return 'SHA384';
  return integ === Integ.HMAC_SHA2_512_256 ? 'SHA512' : undefined;
}

/** Places in the scratch memory. */
const Place = { NONCE: 0, ADDITIONAL: 16, WRITTEN: 32, REST: 48, MAC: 112, KEY: 176, NAME: 240, PARAMETERS: 272 } as const;
export const SCRATCH_BYTES = 512;
const DIGEST = 'digest';
/** OSSL_PARAM_UTF8_STRING. */
const UTF8_STRING = 4;

class OpenSsl {
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

/** AES-GCM (RFC 4106) and ChaCha20-Poly1305 (RFC 7634). */
class InPlaceAead implements EspCipher {
  readonly ivLength = 8;
  readonly icvLength = TAG;
  readonly blockLength = 1;
  readonly #openssl: OpenSsl;
  readonly #context: number;
  readonly #salt: number;
  readonly #esn: boolean;

  constructor(openssl: OpenSsl, context: number, key: Bytes, esn: boolean) {
    this.#openssl = openssl;
    this.#context = context;
    this.#salt = new DataView(key.buffer, key.byteOffset + key.length - SALT, SALT).getUint32(0);
    this.#esn = esn;
  }

  seal(at: number, length: number, sequence: number): void {
    const { arena, init, update, final, control } = this.#openssl;
    arena.view.setUint32(at + ESP_HEADER, highHalf(sequence));
    arena.view.setUint32(at + ESP_HEADER + 4, lowHalf(sequence));
    const context = this.#context;
    const written = this.#openssl.at + Place.WRITTEN;
    const start = arena.base + at + ESP_HEADER + this.ivLength;
    const end = arena.base + at + length;
    done(init(context, 0, 0, this.#nonce(at), ENCRYPT, 0), 'nonce');
    this.#authenticate(at, sequence);
    done(update(context, start, written, start, end - start), 'cipher');
    done(final(context, this.#openssl.at + Place.REST, written), 'cipher');
    done(control(context, GET_TAG, TAG, end), 'tag');
  }

  open(at: number, length: number, sequence: number): 'authentic' | 'authentication' {
    const { arena, init, update, final, control } = this.#openssl;
    const context = this.#context;
    const written = this.#openssl.at + Place.WRITTEN;
    const start = arena.base + at + ESP_HEADER + this.ivLength;
    const end = arena.base + at + length - TAG;
    done(init(context, 0, 0, this.#nonce(at), DECRYPT, 0), 'nonce');
    done(control(context, SET_TAG, TAG, end), 'tag');
    this.#authenticate(at, sequence);
    done(update(context, start, written, start, end - start), 'cipher');
    return final(context, this.#openssl.at + Place.REST, written) === 1 ? 'authentic' : 'authentication';
  }

  free(): void {
    this.#openssl.freeContext(this.#context);
  }

  /** The salt, then the IV that the packet shows. */
  #nonce(at: number): number {
    const { view } = this.#openssl.arena;
    const nonce = this.#openssl.scratch + Place.NONCE;
    view.setUint32(nonce, this.#salt);
    view.setUint32(nonce + 4, view.getUint32(at + ESP_HEADER));
    view.setUint32(nonce + 8, view.getUint32(at + ESP_HEADER + 4));
    return this.#openssl.at + Place.NONCE;
  }

  /** RFC 4106 §5, RFC 7634 §2.1: SPI and sequence number, whole when it is extended. */
  #authenticate(at: number, sequence: number): void {
    const { arena, scratch, update } = this.#openssl;
    const written = this.#openssl.at + Place.WRITTEN;
    if (!this.#esn) {
      done(update(this.#context, 0, written, arena.base + at, ESP_HEADER), 'additional data');
      return;
    }
    const { view } = arena;
    view.setUint32(scratch + Place.ADDITIONAL, view.getUint32(at));
    view.setUint32(scratch + Place.ADDITIONAL + 4, highHalf(sequence));
    view.setUint32(scratch + Place.ADDITIONAL + 8, view.getUint32(at + 4));
    done(update(this.#context, 0, written, this.#openssl.at + Place.ADDITIONAL, 12), 'additional data');
  }
}

/** AES-CBC (RFC 3602) with HMAC-SHA-2 (RFC 4868). */
class InPlaceCbc implements EspCipher {
  readonly ivLength = 16;
  readonly icvLength: number;
  readonly blockLength: number;
  readonly #openssl: OpenSsl;
  readonly #contexts: { readonly cipher: number; readonly mac: number };
  readonly #esn: boolean;

  constructor(
    openssl: OpenSsl,
    contexts: { readonly cipher: number; readonly mac: number },
    { icvLength, blockLength }: { readonly icvLength: number; readonly blockLength: number },
    esn: boolean,
  ) {
    this.#openssl = openssl;
    this.#contexts = contexts;
    this.icvLength = icvLength;
    this.blockLength = blockLength;
    this.#esn = esn;
  }

  seal(at: number, length: number, sequence: number): void {
    const { arena, random } = this.#openssl;
    done(random(arena.base + at + ESP_HEADER, this.ivLength), 'random');
    this.#run(ENCRYPT, at, length);
    const mac = this.#mac(at, length, sequence);
    arena.bytes.copyWithin(at + length, mac, mac + this.icvLength);
  }

  open(at: number, length: number, sequence: number): 'authentic' | 'authentication' | 'malformed' {
    const covered = length - this.icvLength;
    // RFC 4303 §3.4.4.1: the ICV is checked before anything is decrypted.
    if (!this.#equals(this.#mac(at, covered, sequence), at + covered)) return 'authentication';
    if ((covered - ESP_HEADER - this.ivLength) % this.blockLength !== 0) return 'malformed';
    this.#run(DECRYPT, at, covered);
    return 'authentic';
  }

  free(): void {
    this.#openssl.freeContext(this.#contexts.cipher);
    this.#openssl.freeMac(this.#contexts.mac);
  }

  #run(direction: number, at: number, length: number): void {
    const { arena, init, update } = this.#openssl;
    const iv = arena.base + at + ESP_HEADER;
    const start = iv + this.ivLength;
    done(init(this.#contexts.cipher, 0, 0, iv, direction, 0), 'IV');
    done(
      update(this.#contexts.cipher, start, this.#openssl.at + Place.WRITTEN, start, arena.base + at + length - start),
      'cipher',
    );
  }

  /** RFC 4303 §2.2.1: it covers the high half of the sequence number as if that stood after the packet. Answers where it is in the arena. */
  #mac(at: number, length: number, sequence: number): number {
    const { arena, scratch, macInit, macUpdate, macFinal } = this.#openssl;
    const { mac } = this.#contexts;
    done(macInit(mac, 0, 0, 0), 'HMAC');
    done(macUpdate(mac, arena.base + at, length), 'HMAC');
    if (this.#esn) {
      arena.view.setUint32(scratch + Place.ADDITIONAL, highHalf(sequence));
      done(macUpdate(mac, this.#openssl.at + Place.ADDITIONAL, 4), 'HMAC');
    }
    done(macFinal(mac, this.#openssl.at + Place.MAC, this.#openssl.at + Place.WRITTEN, LONGEST_KEY), 'HMAC');
    return scratch + Place.MAC;
  }

  /** In constant time. */
  #equals(mac: number, icv: number): boolean {
    const { view } = this.#openssl.arena;
    let difference = 0;
    for (let byte = 0; byte < this.icvLength; byte += 4) difference |= view.getInt32(mac + byte) ^ view.getInt32(icv + byte);
    return difference === 0;
  }
}

/** What OpenSSL answers when there is no such thing. @throws Error */
function there(what: string, address: number): number {
  if (address === 0) throw new Error(`OpenSSL has no ${what}`);
  return address;
}

/** 1 is success in all of OpenSSL. @throws Error */
function done(result: number, doing: string): void {
  if (result !== 1) throw new Error(`OpenSSL: ${doing} failed`);
}
