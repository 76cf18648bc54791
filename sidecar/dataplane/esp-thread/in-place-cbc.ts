/** ESP by AES-CBC and HMAC, in place. */
import { ESP_HEADER } from '../userspace/esp.ts';
import type { EspCipher } from '../userspace/esp-cipher.ts';
import { highHalf } from '../userspace/sequence.ts';
import { DECRYPT, done, ENCRYPT, LONGEST_KEY, type OpenSsl, Place } from './openssl.ts';

/** AES-CBC (RFC 3602) with HMAC-SHA-2 (RFC 4868). */
export class InPlaceCbc implements EspCipher {
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
