/**
 * ESP packets in tunnel mode (RFC 4303 §2): bytes and algorithms, no state.
 *
 *     SPI (4) | sequence (4) | IV | { inner packet | TFC padding | padding | pad length (1) | next header (1) } encrypted | ICV
 */
import type { ChildSa } from '../../contract/dataplane.ts';
import type { Cryptography, Encryption, Integrity } from '../../ike/crypto/cryptography.ts';
import { type Bytes, concat, equalBytes } from '../../ike/wire/bytes.ts';
import { highHalf, lowHalf } from './sequence.ts';

/** One direction of a child: algorithms looked up and keys checked, once. */
export interface EspKeying {
  readonly encryption: Encryption;
  /** Undefined with an AEAD. */
  readonly integrity: Integrity | undefined;
  readonly encrKey: Bytes;
  readonly integKey: Bytes;
  readonly esn: boolean;
}

/** What was inside; `payload` still ends in TFC padding, if there is any. */
export interface EspPayload {
  readonly nextHeader: number;
  readonly payload: Bytes;
}

const HEADER = 8;
const TRAILER = 2;

/** @throws Error for an algorithm that we do not have, or keys of the wrong size: the core negotiated something else than it installed. */
export function espKeying(crypto: Cryptography, suite: ChildSa['suite'], keys: ChildSa['keyIn']): EspKeying {
  const encryption = crypto.encryption(suite.encr, suite.keyBits);
  if (!encryption) throw new Error(`no encryption algorithm ${suite.encr} with ${suite.keyBits} bits`);
  const integrity = encryption.aead ? undefined : crypto.integrity(suite.integ);
  if (!encryption.aead && !integrity)
    throw new Error(`no integrity algorithm ${suite.integ} for encryption algorithm ${suite.encr}`);
  expectLength('encryption', keys.encr, encryption.keyLength);
  if (integrity) expectLength('integrity', keys.integ, integrity.keyLength);
  return { encryption, integrity, encrKey: keys.encr, integKey: keys.integ, esn: suite.esn };
}

/** The SPI of a packet; undefined when it is too short to be ESP. */
export function spiOf(packet: Bytes): number | undefined {
  return packet.length < HEADER ? undefined : viewOf(packet).getUint32(0);
}

/** The 32 bits of the sequence number that a packet of at least 8 bytes shows. */
export function sequenceOf(packet: Bytes): number {
  return viewOf(packet).getUint32(4);
}

/** `sequence` must never be used twice with one key: an AEAD takes its IV from it (RFC 4106 §3.1, RFC 7634 §2). */
export function sealEsp(
  keying: EspKeying,
  spi: number,
  sequence: number,
  { payload, nextHeader }: EspPayload,
  random: (length: number) => Bytes,
): Bytes {
  const { encryption, integrity } = keying;
  const header = headerOf(spi, lowHalf(sequence));
  const iv = encryption.aead ? counterIv(sequence, encryption.ivLength) : random(encryption.ivLength);
  const sealed = encryption.seal(
    keying.encrKey,
    iv,
    padded(payload, nextHeader, encryption.blockLength),
    additionalData(keying, header, sequence),
  );
  if (!integrity) return concat(header, iv, sealed);
  const body = concat(header, iv, sealed);
  return concat(body, integrity.mac(keying.integKey, withHighHalf(keying, body, sequence)));
}

/** `sequence` is the whole number, high half included. Total: any bytes get an answer. */
export function openEsp(keying: EspKeying, packet: Bytes, sequence: number): EspPayload | 'authentication' | 'malformed' {
  const { encryption, integrity } = keying;
  const icvLength = integrity?.icvLength ?? 0;
  const start = HEADER + encryption.ivLength;
  const end = packet.length - icvLength;
  if (end - start < encryption.icvLength + TRAILER) return 'malformed';
  // RFC 4303 §3.4.4.1: the ICV is checked before anything is decrypted.
  if (
    integrity &&
    !equalBytes(integrity.mac(keying.integKey, withHighHalf(keying, packet.subarray(0, end), sequence)), packet.subarray(end))
  ) {
    return 'authentication';
  }
  const aad = additionalData(keying, packet.subarray(0, HEADER), sequence);
  const plaintext = encryption.open(keying.encrKey, packet.subarray(HEADER, start), packet.subarray(start, end), aad);
  if (!plaintext) return integrity ? 'malformed' : 'authentication';
  return unpadded(plaintext) ?? 'malformed';
}

function headerOf(spi: number, sequence: number): Bytes {
  const header = new Uint8Array(HEADER);
  const view = viewOf(header);
  view.setUint32(0, spi);
  view.setUint32(4, sequence);
  return header;
}

function counterIv(sequence: number, length: number): Bytes {
  const iv = new Uint8Array(length);
  viewOf(iv).setBigUint64(length - 8, BigInt(sequence));
  return iv;
}

/** RFC 4106 §5, RFC 7634 §2.1: SPI and sequence number, whole when it is extended. */
function additionalData({ esn }: EspKeying, header: Bytes, sequence: number): Bytes {
  if (!esn) return header;
  const aad = new Uint8Array(12);
  aad.set(header.subarray(0, 4));
  viewOf(aad).setUint32(4, highHalf(sequence));
  aad.set(header.subarray(4), 8);
  return aad;
}

/** RFC 4303 §2.2.1: a separate integrity algorithm covers the high half as if it stood after the packet. */
function withHighHalf({ esn }: EspKeying, body: Bytes, sequence: number): Bytes {
  if (!esn) return body;
  const covered = new Uint8Array(body.length + 4);
  covered.set(body);
  viewOf(covered).setUint32(body.length, highHalf(sequence));
  return covered;
}

/** RFC 4303 §2.4: padding 1, 2, 3 … up to a whole number of blocks, of 4 bytes at least. */
function padded(payload: Bytes, nextHeader: number, blockLength: number): Bytes {
  const align = Math.max(4, blockLength);
  const length = Math.ceil((payload.length + TRAILER) / align) * align;
  const plaintext = new Uint8Array(length);
  plaintext.set(payload);
  const padLength = length - TRAILER - payload.length;
  for (let pad = 1; pad <= padLength; pad++) plaintext[payload.length + pad - 1] = pad;
  plaintext[length - 2] = padLength;
  plaintext[length - 1] = nextHeader;
  return plaintext;
}

function unpadded(plaintext: Bytes): EspPayload | undefined {
  const trailer = plaintext.length - TRAILER;
  const padLength = plaintext[trailer];
  const nextHeader = plaintext[trailer + 1];
  if (padLength === undefined || nextHeader === undefined || padLength > trailer) return undefined;
  const length = trailer - padLength;
  // RFC 4303 §2.4: the receiver SHOULD inspect the padding.
  for (let pad = 1; pad <= padLength; pad++) if (plaintext[length + pad - 1] !== pad) return undefined;
  return { nextHeader, payload: plaintext.subarray(0, length) };
}

function expectLength(what: string, key: Bytes, length: number): void {
  if (key.length !== length) throw new Error(`the ${what} key of a child has ${key.length} bytes instead of ${length}`);
}

const viewOf = (bytes: Bytes): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
