/** A datagram: the IKE header (RFC 7296 §3.1), payloads in clear, and at most one encrypted payload (§3.14, RFC 7383 §2.5) at its end. */
import { ProtocolError } from '../error.ts';
import { type Bytes, hex, Reader, unhex, Writer } from './bytes.ts';
import { decodeChain, encodePayloads, type Payload, SK, SKF } from './payload.ts';
import { Exchange, Notify } from './registry.ts';

export interface Header {
  /** 16 hexadecimal digits, as is `spiR`. */
  readonly spiI: string;
  readonly spiR: string;
  readonly exchange: number;
  readonly response: boolean;
  /** The sender began this SA. */
  readonly initiator: boolean;
  readonly messageId: number;
}

export interface Message extends Header {
  /** Those in clear. */
  readonly payloads: readonly Payload[];
  readonly encrypted: Encrypted | undefined;
}

export interface Encrypted {
  /** Number of the first payload inside; 0 in all fragments but the first. */
  readonly first: number;
  readonly fragment: Fragment | undefined;
  /** What is authenticated but not encrypted: the message up to the end of the payload's header. A view of the datagram. */
  readonly aad: Bytes;
  /** IV, ciphertext and checksum, to the end. A view of the datagram. */
  readonly body: Bytes;
}

/** RFC 7383 §2.5: `number` counts from 1. */
export interface Fragment {
  readonly number: number;
  readonly total: number;
}

/** The responder's SPI before it has chosen one. */
export const NO_SPI = '0'.repeat(16);

const MAJOR = 2;
const HEADER_LENGTH = 28;
const NEXT_PAYLOAD_AT = 16;
const RESPONSE = 0x20;
const INITIATOR = 0x08;

/** Everything but the content of the encrypted payload. @throws ProtocolError */
export function decodeMessage(datagram: Bytes): Message {
  const reader = new Reader(datagram);
  const header = readHeader(reader);
  const { payloads, sealed } = decodeChain(datagram[NEXT_PAYLOAD_AT]!, reader);
  if (!sealed) return { ...header, payloads, encrypted: undefined };
  const body = new Reader(sealed.body);
  const fragment = sealed.number === SKF ? readFragment(body, sealed.first, payloads) : undefined;
  const aad = new Reader(datagram).take(datagram.length - body.left);
  return { ...header, payloads, encrypted: { first: sealed.first, fragment, aad, body: body.rest() } };
}

/** Who and what a datagram is for, at little cost. @throws ProtocolError */
export function decodeHeader(datagram: Bytes): Header {
  return readHeader(new Reader(datagram));
}

function readHeader(r: Reader): Header {
  const total = r.left;
  const spiI = hex(r.take(8));
  const spiR = hex(r.take(8));
  r.skip(1); // Next Payload
  checkVersion(r.u8());
  const exchange = r.u8();
  const flags = r.u8();
  const messageId = r.u32();
  const length = r.u32();
  if (length !== total) throw ProtocolError.malformed(`length ${length} of ${total}`);
  // RFC 7296 §3.1: "This value MUST NOT be zero", with the exception that §1.5 makes for notifies outside of any SA.
  if (spiI === NO_SPI && exchange !== Exchange.INFORMATIONAL) throw ProtocolError.malformed('no SPI of the initiator');
  return { spiI, spiR, exchange, response: (flags & RESPONSE) !== 0, initiator: (flags & INITIATOR) !== 0, messageId };
}

/** RFC 7296 §2.5: a higher major version is answered with the one we speak (§1.5: in the header only), the minor version does not matter. IKEv1 is silence. */
function checkVersion(version: number): void {
  const major = version >> 4;
  if (major > MAJOR) throw new ProtocolError('refuse', Notify.INVALID_MAJOR_VERSION, `major version ${major}`);
  if (major < MAJOR) throw ProtocolError.malformed(`major version ${major}`);
}

/** RFC 7383 §2.6: what one datagram tells about the validity of a fragment. */
function readFragment(r: Reader, first: number, clear: readonly Payload[]): Fragment {
  const number = r.u16();
  const total = r.u16();
  if (number === 0 || number > total) throw ProtocolError.malformed(`fragment ${number} of ${total}`);
  // RFC 7383 §2.5: Next Payload "MUST be set to zero" in all fragments but the first; §2.5.3: so must payloads in clear be.
  if (number > 1 && (first !== 0 || clear.length > 0))
    throw ProtocolError.malformed(`fragment ${number} with a payload of its own`);
  return { number, total };
}

/** A message without an encrypted payload. */
export function encodeMessage(message: Header & { readonly payloads: readonly Payload[] }): Bytes {
  const { first, bytes } = encodePayloads(message.payloads);
  return new Writer(HEADER_LENGTH + bytes.length)
    .bytes(encodeHeader(message, first, bytes.length))
    .bytes(bytes)
    .finish();
}

/** What precedes the body of an encrypted payload, and is its additional data; `bodyLength` bytes of body must follow. */
export function encodePrefix(
  header: Header,
  { first, fragment, bodyLength }: { first: number; fragment?: Fragment | undefined; bodyLength: number },
): Bytes {
  const length = (fragment ? 8 : 4) + bodyLength;
  const out = new Writer(HEADER_LENGTH + 8).bytes(encodeHeader(header, fragment ? SKF : SK, length));
  out.u8(first).u8(0).u16(length);
  if (fragment) out.u16(fragment.number).u16(fragment.total);
  return out.finish();
}

function encodeHeader(header: Header, next: number, length: number): Bytes {
  return new Writer(HEADER_LENGTH)
    .bytes(spiBytes(header.spiI))
    .bytes(spiBytes(header.spiR))
    .u8(next)
    .u8(MAJOR << 4)
    .u8(header.exchange)
    .u8((header.response ? RESPONSE : 0) | (header.initiator ? INITIATOR : 0))
    .u32(header.messageId)
    .u32(HEADER_LENGTH + length)
    .finish();
}

function spiBytes(spi: string): Bytes {
  if (spi.length !== NO_SPI.length) throw new RangeError(`an IKE SPI of ${spi.length} digits`);
  return unhex(spi);
}
