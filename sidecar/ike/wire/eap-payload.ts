/** The Extensible Authentication payload: one EAP packet (RFC 7296 §3.16, RFC 3748 §4). */
import { ProtocolError } from '../error.ts';
import { type Bytes, Reader, Writer } from './bytes.ts';
import type { Codec } from './codec.ts';
import { EapCode } from './registry.ts';

export interface EapBody {
  readonly code: number;
  readonly identifier: number;
  /** Type and Type_Data of a Request or Response (at least the type); empty in Success and Failure. */
  readonly data: Bytes;
}

const HEADER_LENGTH = 4;

export const eapPayload: Codec<EapBody> = {
  number: 48,
  decode: (r) => {
    const total = r.left;
    const code = r.u8();
    const identifier = r.u8();
    // RFC 7296 §3.16: the EAP length "MUST be four less than the Payload Length of the encapsulating payload".
    const length = r.u16();
    if (length !== total) throw ProtocolError.malformed(`EAP length ${length} of ${total}`);
    return { code, identifier, data: decodeData(code, r) };
  },
  encode: (w, { code, identifier, data }) => {
    w.u8(code)
      .u8(identifier)
      .u16(HEADER_LENGTH + data.length)
      .bytes(data);
  },
};

/** The packet whole, as it goes to whoever speaks EAP. */
export function eapBytes(body: EapBody): Bytes {
  const w = new Writer(HEADER_LENGTH + body.data.length);
  eapPayload.encode(w, body);
  return w.finish();
}

/** @throws ProtocolError (malformed) */
export const eapBody = (packet: Bytes): EapBody => eapPayload.decode(new Reader(packet));

function decodeData(code: number, r: Reader): Bytes {
  switch (code) {
    case EapCode.REQUEST:
    case EapCode.RESPONSE:
      if (r.left === 0) throw ProtocolError.malformed('EAP without a type');
      return r.rest();
    case EapCode.SUCCESS:
    case EapCode.FAILURE:
      // RFC 7296 §3.16: "the Type and Type_Data fields MUST NOT be present".
      r.end();
      return r.rest();
    default:
      // RFC 3748 §4: other codes are silently discarded.
      throw ProtocolError.malformed(`EAP code ${code}`);
  }
}
