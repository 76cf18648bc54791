/** RADIUS packets and their attributes as bytes (RFC 2865 §3 and §5). What they mean is the business of others. */
import { ProtocolError } from '../ike/error.ts';
import { type Bytes, Reader, Writer } from '../ike/wire/bytes.ts';

export const Code = {
  ACCESS_REQUEST: 1,
  ACCESS_ACCEPT: 2,
  ACCESS_REJECT: 3,
  ACCOUNTING_REQUEST: 4,
  ACCOUNTING_RESPONSE: 5,
  ACCESS_CHALLENGE: 11,
  /** RFC 5997. */
  STATUS_SERVER: 12,
} as const;

export interface Attribute {
  readonly type: number;
  /** 1 to 253 bytes. */
  readonly value: Bytes;
}

export interface Packet {
  readonly code: number;
  readonly identifier: number;
  /** 16 bytes. */
  readonly authenticator: Bytes;
  readonly attributes: readonly Attribute[];
}

export const HEADER_LENGTH = 20;
export const AUTHENTICATOR_AT = 4;
export const AUTHENTICATOR_LENGTH = 16;
export const MAX_PACKET = 4_096;
export const MAX_VALUE = 253;

/** @throws RangeError for a value or packet that is longer than RADIUS can carry. */
export function encodePacket({ code, identifier, authenticator, attributes }: Packet): Bytes {
  const w = new Writer().u8(code).u8(identifier).u16(0).bytes(authenticator);
  for (const { type, value } of attributes) {
    if (value.length === 0 || value.length > MAX_VALUE) throw new RangeError(`attribute ${type} of ${value.length} bytes`);
    w.u8(type)
      .u8(value.length + 2)
      .bytes(value);
  }
  // RFC 2865 §3: the maximum length is 4096.
  if (w.length > MAX_PACKET) throw new RangeError(`a packet of ${w.length} bytes`);
  w.u16At(2, w.length);
  return w.finish();
}

/** @throws ProtocolError (malformed) */
export function decodePacket(datagram: Bytes): Packet {
  const header = new Reader(datagram);
  const code = header.u8();
  const identifier = header.u8();
  const length = header.u16();
  // RFC 2865 §3: a packet that is shorter than it says is discarded; what lies behind the length is padding.
  if (length < HEADER_LENGTH || length > MAX_PACKET) throw ProtocolError.malformed(`RADIUS length ${length}`);
  const body = header.sub(length - AUTHENTICATOR_AT);
  return { code, identifier, authenticator: body.take(AUTHENTICATOR_LENGTH), attributes: decodeAttributes(body) };
}

function decodeAttributes(body: Reader): readonly Attribute[] {
  const attributes: Attribute[] = [];
  while (body.left > 0) {
    const type = body.u8();
    const length = body.u8();
    // RFC 2865 §5: with an invalid length the packet is discarded; a value is one byte at least, but not every server minds.
    if (length < 2) throw ProtocolError.malformed(`attribute ${type} of length ${length}`);
    attributes.push({ type, value: body.take(length - 2) });
  }
  return attributes;
}
