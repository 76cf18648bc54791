/** The payloads that are one value each: KE (RFC 7296 §3.4), nonces (§3.9) and Vendor ID (§3.12). */
import { ProtocolError } from '../error.ts';
import type { Bytes } from './bytes.ts';
import type { Codec } from './codec.ts';

export interface KeBody {
  readonly group: number;
  readonly data: Bytes;
}

export interface OpaqueBody {
  readonly data: Bytes;
}

export const kePayload: Codec<KeBody> = {
  number: 34,
  decode: (r) => {
    const group = r.u16();
    r.skip(2); // RESERVED
    return { group, data: r.rest() };
  },
  encode: (w, { group, data }) => {
    w.u16(group).u16(0).bytes(data);
  },
};

export const noncePayload: Codec<OpaqueBody> = {
  number: 40,
  decode: (r) => {
    // RFC 7296 §3.9: "between 16 and 256 octets, inclusive".
    if (r.left < 16 || r.left > 256) throw ProtocolError.malformed(`nonce of ${r.left} bytes`);
    return { data: r.rest() };
  },
  encode: (w, { data }) => {
    w.bytes(data);
  },
};

export const vendorIdPayload: Codec<OpaqueBody> = {
  number: 43,
  decode: (r) => ({ data: r.rest() }),
  encode: (w, { data }) => {
    w.bytes(data);
  },
};
