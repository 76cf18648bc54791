/** The Configuration payload: inner addresses and what belongs to them (RFC 7296 §3.15). */
import { ProtocolError } from '../error.ts';
import type { Bytes, Reader, Writer } from './bytes.ts';
import type { Codec } from './codec.ts';
import { CfgAttribute } from './registry.ts';

export interface Attribute {
  readonly type: number;
  readonly value: Bytes;
}

export interface CpBody {
  readonly cfgType: number;
  readonly attributes: readonly Attribute[];
}

export const cpPayload: Codec<CpBody> = {
  number: 47,
  decode: (r) => {
    const cfgType = r.u8();
    r.skip(3); // RESERVED
    const attributes: Attribute[] = [];
    while (r.left > 0) attributes.push(decodeAttribute(r));
    return { cfgType, attributes };
  },
  encode: (w, { cfgType, attributes }) => {
    w.u8(cfgType).u8(0).u16(0);
    for (const { type, value } of attributes) encodeAttribute(w, type, value);
  },
};

/** Bytes of the value when there is one (RFC 7296 §3.15.1); every attribute may also come empty, to ask for a value. */
const lengths: Readonly<Record<number, number>> = {
  [CfgAttribute.INTERNAL_IP4_ADDRESS]: 4,
  [CfgAttribute.INTERNAL_IP4_NETMASK]: 4,
  [CfgAttribute.INTERNAL_IP4_DNS]: 4,
  [CfgAttribute.INTERNAL_IP4_NBNS]: 4,
  [CfgAttribute.INTERNAL_IP4_DHCP]: 4,
  [CfgAttribute.INTERNAL_IP6_ADDRESS]: 17,
  [CfgAttribute.INTERNAL_IP6_DNS]: 16,
  [CfgAttribute.INTERNAL_IP6_DHCP]: 16,
  [CfgAttribute.INTERNAL_IP4_SUBNET]: 8,
  [CfgAttribute.INTERNAL_IP6_SUBNET]: 17,
};

function decodeAttribute(r: Reader): Attribute {
  const type = r.u16() & 0x7fff; // the first bit is RESERVED
  const value = r.take(r.u16());
  const length = lengths[type];
  const fits = length === undefined || value.length === 0 || value.length === length;
  if (!fits) throw ProtocolError.malformed(`configuration attribute ${type} of ${value.length} bytes`);
  // RFC 7296 §3.15.1: a list of 2-byte attribute types.
  if (type === CfgAttribute.SUPPORTED_ATTRIBUTES && value.length % 2 !== 0)
    throw ProtocolError.malformed(`SUPPORTED_ATTRIBUTES of ${value.length} bytes`);
  return { type, value };
}

function encodeAttribute(w: Writer, type: number, value: Bytes): void {
  w.u16(type).u16(value.length).bytes(value);
}
