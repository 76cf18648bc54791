/** The Traffic Selector payloads TSi and TSr (RFC 7296 §3.13). */
import type { Selector } from '../../contract/dataplane.ts';
import { ProtocolError } from '../error.ts';
import type { Bytes, Reader, Writer } from './bytes.ts';
import type { Codec } from './codec.ts';
import { TsType } from './registry.ts';

export interface TsBody {
  /** Of the types that we know; may be none even though a payload always carries at least one. */
  readonly selectors: readonly Selector[];
}

export const tsPayload = (number: number): Codec<TsBody> => ({ number, decode, encode });

const HEADER_LENGTH = 8;
const addressLengths: Readonly<Record<number, number>> = { [TsType.TS_IPV4_ADDR_RANGE]: 4, [TsType.TS_IPV6_ADDR_RANGE]: 16 };

function decode(r: Reader): TsBody {
  const count = r.u8();
  r.skip(3); // RESERVED
  // RFC 7296 §3.13: "One or more individual Traffic Selectors."
  if (count === 0) throw ProtocolError.malformed('no traffic selector');
  const selectors: Selector[] = [];
  for (let i = 0; i < count; i++) {
    const selector = decodeSelector(r);
    if (selector) selectors.push(selector);
  }
  return { selectors };
}

function encode(w: Writer, { selectors }: TsBody): void {
  w.u8(selectors.length).u8(0).u16(0);
  for (const { protocol, startPort, endPort, start, end } of selectors) {
    const type = start.length === 4 ? TsType.TS_IPV4_ADDR_RANGE : TsType.TS_IPV6_ADDR_RANGE;
    w.u8(type)
      .u8(protocol)
      .u16(HEADER_LENGTH + 2 * start.length);
    w.u16(startPort).u16(endPort).bytes(start).bytes(end);
  }
}

/** RFC 7296 §3.13.1. Other types have other fields after their length; what we cannot read we cannot choose, so it is left out. */
function decodeSelector(r: Reader): Selector | undefined {
  const type = r.u8();
  const protocol = r.u8();
  const fields = r.sub(r.u16() - 4);
  const addressLength = addressLengths[type];
  if (addressLength === undefined) return undefined;
  const startPort = fields.u16();
  const endPort = fields.u16();
  const start = fields.take(addressLength);
  const end = fields.take(addressLength);
  fields.end();
  // RFC 7296 §3.13.1: the smallest first; ports the other way round say OPAQUE.
  const opaque = startPort === 0xffff && endPort === 0;
  if ((startPort > endPort && !opaque) || compare(start, end) > 0)
    throw ProtocolError.malformed('traffic selector from end to start');
  return { protocol, startPort, endPort, start, end };
}

function compare(a: Bytes, b: Bytes): number {
  const at = a.findIndex((byte, index) => byte !== b[index]);
  return at === -1 ? 0 : a[at]! - b[at]!;
}
