/** The Security Association payload: proposals, their transforms and attributes (RFC 7296 §3.3). */
import { ProtocolError } from '../error.ts';
import { type Bytes, concat, Reader, type Writer } from './bytes.ts';
import type { Codec } from './codec.ts';
import { Protocol } from './registry.ts';

export interface Transform {
  readonly type: number;
  readonly id: number;
  /** The Key Length attribute, in bits. */
  readonly keyBits?: number;
  /** Attributes that we do not understand, as received: such a transform must not be chosen (RFC 7296 §3.3.6). */
  readonly unknownAttributes?: Bytes;
}

export interface Proposal {
  readonly number: number;
  readonly protocol: number;
  readonly spi: Bytes;
  readonly transforms: readonly Transform[];
}

export interface SaBody {
  readonly proposals: readonly Proposal[];
}

export const saPayload: Codec<SaBody> = {
  number: 33,
  decode: (r) => {
    const proposals = decodeList(r, 2, decodeProposal);
    checkNumbers(proposals);
    return { proposals };
  },
  encode: (w, { proposals }) => encodeList(w, 2, proposals, encodeProposal),
};

/**
 * A list of proposals or transforms. Each begins with a sign whether another one follows (0, or `more`), a reserved byte and
 * its length including these four.
 */
function decodeList<Item>(reader: Reader, more: number, decode: (item: Reader) => Item): Item[] {
  const items: Item[] = [];
  for (let last = false; !last; ) {
    const sign = reader.u8();
    reader.skip(1); // RESERVED
    const item = reader.sub(reader.u16() - 4);
    // RFC 7296 §3.3.1, §3.3.2: 0 in the last substructure, 2 or 3 in the others.
    if (sign !== 0 && sign !== more) throw ProtocolError.malformed(`last substructure ${sign}`);
    last = sign === 0;
    items.push(decode(item));
    // RFC 7296 §3.3: "MUST check that the total Payload Length is consistent with the payload's internal lengths and counts".
    item.end();
  }
  return items;
}

function encodeList<Item>(writer: Writer, more: number, items: readonly Item[], encode: (w: Writer, item: Item) => void): void {
  items.forEach((item, index) => {
    const start = writer.length;
    writer
      .u8(index === items.length - 1 ? 0 : more)
      .u8(0)
      .u16(0);
    encode(writer, item);
    writer.u16At(start + 2, writer.length - start);
  });
}

function decodeProposal(r: Reader): Proposal {
  const number = r.u8();
  const protocol = r.u8();
  const spiSize = r.u8();
  const count = r.u8();
  checkSpiSize(protocol, spiSize);
  const spi = r.take(spiSize);
  const transforms = decodeList(r, 3, decodeTransform);
  if (transforms.length !== count) throw ProtocolError.malformed(`${transforms.length} transforms, ${count} announced`);
  return { number, protocol, spi, transforms };
}

function encodeProposal(w: Writer, { number, protocol, spi, transforms }: Proposal): void {
  w.u8(number).u8(protocol).u8(spi.length).u8(transforms.length).bytes(spi);
  encodeList(w, 3, transforms, encodeTransform);
}

/** RFC 7296 §3.3.1: 8 bytes for IKE (none in the initial exchange), 4 for AH and ESP. */
const spiSizes: Readonly<Record<number, readonly number[]>> = {
  [Protocol.IKE]: [0, 8],
  [Protocol.AH]: [4],
  [Protocol.ESP]: [4],
};

function checkSpiSize(protocol: number, size: number): void {
  const sizes = spiSizes[protocol];
  if (sizes && !sizes.includes(size)) throw ProtocolError.malformed(`SPI of ${size} bytes for protocol ${protocol}`);
}

/** RFC 7296 §3.3.1: an offer counts from 1; an answer is a single proposal with the number that it had in the offer. */
function checkNumbers(proposals: readonly Proposal[]): void {
  const numbers = proposals.map(({ number }) => number);
  const fits = numbers.length === 1 ? numbers[0] !== 0 : numbers.every((number, index) => number === index + 1);
  if (!fits) throw ProtocolError.malformed(`proposals numbered ${numbers.join(', ')}`);
}

function decodeTransform(r: Reader): Transform {
  const type = r.u8();
  r.skip(1); // RESERVED
  const id = r.u16();
  return r.left === 0 ? { type, id } : { type, id, ...decodeAttributes(r) };
}

function encodeTransform(w: Writer, { type, id, keyBits, unknownAttributes }: Transform): void {
  w.u8(type).u8(0).u16(id);
  if (keyBits !== undefined) w.u16(TV | KEY_LENGTH).u16(keyBits);
  if (unknownAttributes) w.bytes(unknownAttributes);
}

/** RFC 7296 §3.3.5: with this bit the value has two bytes and stands in place of the length. */
const TV = 0x8000;
const KEY_LENGTH = 14;

function decodeAttributes(r: Reader): Pick<Transform, 'keyBits' | 'unknownAttributes'> {
  const keyBits: number[] = [];
  const unknown: Bytes[] = [];
  while (r.left > 0) {
    const head = r.take(4);
    const type = new Reader(head).u16();
    const value = new Reader(head.subarray(2)).u16();
    if (type === (TV | KEY_LENGTH)) keyBits.push(value);
    else unknown.push(head, (type & TV) === 0 ? r.take(value) : r.take(0));
  }
  // RFC 7296 §3.3: "A transform MUST NOT have multiple attributes of the same type."
  if (keyBits.length > 1) throw ProtocolError.malformed('two Key Length attributes');
  return {
    ...(keyBits[0] !== undefined && { keyBits: keyBits[0] }),
    ...(unknown.length > 0 && { unknownAttributes: concat(...unknown) }),
  };
}
