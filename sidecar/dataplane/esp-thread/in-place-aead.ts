/** ESP by an AEAD, in place. */
import type { Bytes } from '../../ike/wire/bytes.ts';
import { ESP_HEADER } from '../userspace/esp.ts';
import type { EspCipher } from '../userspace/esp-cipher.ts';
import { highHalf, lowHalf } from '../userspace/sequence.ts';
import { DECRYPT, done, ENCRYPT, type OpenSsl, Place } from './openssl.ts';

/** Of EVP_CIPHER_CTX_ctrl. */
const GET_TAG = 0x10;
const SET_TAG = 0x11;
export const SALT = 4;
const TAG = 16;

/** AES-GCM (RFC 4106) and ChaCha20-Poly1305 (RFC 7634). */
export class InPlaceAead implements EspCipher {
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
