/**
 * ESP packets in tunnel mode (RFC 4303 §2), in place: an inner packet gets header and trailer around it, or loses them.
 *
 *     SPI (4) | sequence (4) | IV | { inner packet | TFC padding | padding | pad length (1) | next header (1) } encrypted | ICV
 */
import type { Bytes } from '../../ike/wire/bytes.ts';
import type { Arena } from './arena.ts';
import type { EspCipher } from './esp-cipher.ts';
import { lowHalf } from './sequence.ts';

export const ESP_HEADER = 8;
const TRAILER = 2;

/** Bytes of an ESP packet before the inner one. */
export const headOf = ({ ivLength }: EspCipher): number => ESP_HEADER + ivLength;

/** The SPI of a packet; undefined when it is too short to be ESP. */
export function spiOf(packet: Bytes): number | undefined {
  return packet.length < ESP_HEADER ? undefined : viewOf(packet).getUint32(0);
}

/** The 32 bits of the sequence number that a packet of at least 8 bytes shows. */
export function sequenceOf(packet: Bytes): number {
  return viewOf(packet).getUint32(4);
}

/**
 * Around the `length` bytes at `at`: the packet begins `headOf` before them. Answers how long it is.
 * `sequence` must never be used twice with one key.
 */
export function sealEsp(
  { bytes, view }: Arena,
  cipher: EspCipher,
  spi: number,
  sequence: number,
  at: number,
  length: number,
  nextHeader: number,
): number {
  const start = at - headOf(cipher);
  view.setUint32(start, spi);
  view.setUint32(start + 4, lowHalf(sequence));
  // RFC 4303 §2.4: padding 1, 2, 3 … up to a whole number of blocks, of 4 bytes at least.
  const align = Math.max(4, cipher.blockLength);
  const padded = Math.ceil((length + TRAILER) / align) * align;
  const padLength = padded - TRAILER - length;
  for (let pad = 1; pad <= padLength; pad++) bytes[at + length + pad - 1] = pad;
  bytes[at + padded - 2] = padLength;
  bytes[at + padded - 1] = nextHeader;
  const covered = at - start + padded;
  cipher.seal(start, covered, sequence);
  return covered + cipher.icvLength;
}

/**
 * Of a packet of `length` bytes at `at`: how many there are of the inner one, TFC padding included, which begins at `at + headOf` and whose next
 * header is `nextHeaderOf`. `sequence` is the whole number, high half included. Total: any bytes get an answer.
 */
export function openEsp(
  arena: Arena,
  cipher: EspCipher,
  at: number,
  length: number,
  sequence: number,
): number | 'authentication' | 'malformed' {
  const plain = length - headOf(cipher) - cipher.icvLength;
  if (plain < TRAILER) return 'malformed';
  const opened = cipher.open(at, length, sequence);
  return opened === 'authentic' ? unpadded(arena, at + headOf(cipher), plain) : opened;
}

/** Of a packet that `openEsp` opened. */
export const nextHeaderOf = ({ view }: Arena, { icvLength }: EspCipher, at: number, length: number): number =>
  view.getUint8(at + length - icvLength - 1);

function unpadded({ bytes, view }: Arena, at: number, plain: number): number | 'malformed' {
  const trailer = plain - TRAILER;
  const padLength = view.getUint8(at + trailer);
  if (padLength > trailer) return 'malformed';
  const length = trailer - padLength;
  // RFC 4303 §2.4: the receiver SHOULD inspect the padding.
  for (let pad = 1; pad <= padLength; pad++) if (bytes[at + length + pad - 1] !== pad) return 'malformed';
  return length;
}

const viewOf = (bytes: Bytes): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
