/**
 * Netlink messages as bytes (linux/netlink.h): a header of 16, a fixed structure, attributes; in the byte order of the machine, which is
 * little-endian wherever this runs.
 */
import type { Bytes } from '../../ike/wire/bytes.ts';

export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_DUMP = 0x300;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLMSGERR_ATTR_MSG = 1;
const HEADER = 16;
const ATTRIBUTE_HEADER = 4;
/** NLA_F_NESTED and NLA_F_NET_BYTEORDER say how to read an attribute, not which it is. */
const ATTRIBUTE_TYPE = 0x3fff;

export interface Attribute {
  readonly type: number;
  readonly value: Bytes;
}

/** What is asked for; number and ACK come with sending. */
export interface Request {
  readonly type: number;
  readonly flags: number;
  readonly fixed: Bytes;
  readonly attributes: readonly Attribute[];
}

export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** After the header; a view. */
  readonly body: Bytes;
}

/** The end of an answer: `errno` is 0 when it was carried out. */
export interface Ending {
  readonly errno: number;
  /** In the kernel's own words, where it has some. */
  readonly text?: string;
}

export const align = (length: number): number => (length + 3) & ~3;

export const u32 = (type: number, value: number): Attribute => {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return { type, value: bytes };
};

export function encodeMessage({ type, flags, fixed, attributes }: Request, sequence: number): Bytes {
  const length = attributes.reduce(
    (sum, { value }) => sum + align(ATTRIBUTE_HEADER + value.length),
    HEADER + align(fixed.length),
  );
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, flags | NLM_F_REQUEST, true);
  view.setUint32(8, sequence, true);
  bytes.set(fixed, HEADER);
  let at = HEADER + align(fixed.length);
  for (const attribute of attributes) {
    view.setUint16(at, ATTRIBUTE_HEADER + attribute.value.length, true);
    view.setUint16(at + 2, attribute.type, true);
    bytes.set(attribute.value, at + ATTRIBUTE_HEADER);
    at += align(ATTRIBUTE_HEADER + attribute.value.length);
  }
  return bytes;
}

/** The messages of one datagram; what is cut off at its end is left out. */
export function decodeMessages(bytes: Bytes): readonly Message[] {
  const view = viewOf(bytes);
  const messages: Message[] = [];
  for (let at = 0; at + HEADER <= bytes.length; ) {
    const length = view.getUint32(at, true);
    if (length < HEADER || at + length > bytes.length) break;
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      body: bytes.subarray(at + HEADER, at + length),
    });
    at += align(length);
  }
  return messages;
}

/** By type, views; of one that comes twice the last. */
export function decodeAttributes(bytes: Bytes): ReadonlyMap<number, Bytes> {
  const view = viewOf(bytes);
  const attributes = new Map<number, Bytes>();
  for (let at = 0; at + ATTRIBUTE_HEADER <= bytes.length; ) {
    const length = view.getUint16(at, true);
    if (length < ATTRIBUTE_HEADER || at + length > bytes.length) break;
    attributes.set(view.getUint16(at + 2, true) & ATTRIBUTE_TYPE, bytes.subarray(at + ATTRIBUTE_HEADER, at + length));
    at += align(length);
  }
  return attributes;
}

/** Undefined for a message that is not the last of an answer. */
export function endingOf(message: Message): Ending | undefined {
  if (message.type !== NLMSG_ERROR && message.type !== NLMSG_DONE) return undefined;
  if (message.body.length < 4) return { errno: 0 };
  const errno = -viewOf(message.body).getInt32(0, true);
  if (message.type === NLMSG_DONE || !(message.flags & NLM_F_ACK_TLVS)) return { errno };
  const text = decodeAttributes(message.body.subarray(textAt(message))).get(NLMSGERR_ATTR_MSG);
  return text ? { errno, text: new TextDecoder().decode(text).replace(/\0+$/, '') } : { errno };
}

/** Behind the error comes the header of the request, and all of it if it was not capped. */
function textAt({ body, flags }: Message): number {
  const repeated = flags & NLM_F_CAPPED || body.length < 8 ? HEADER : viewOf(body).getUint32(4, true);
  return 4 + align(repeated);
}

export const viewOf = (bytes: Bytes): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
