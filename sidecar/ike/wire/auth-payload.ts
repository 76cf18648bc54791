/** The payloads that say who somebody is and prove it: IDi and IDr (RFC 7296 §3.5), CERT (§3.6), CERTREQ (§3.7) and AUTH (§3.8). */
import { ProtocolError } from '../error.ts';
import type { Bytes, Writer } from './bytes.ts';
import type { Codec } from './codec.ts';
import { IdType } from './registry.ts';

export interface IdBody {
  readonly idType: number;
  readonly data: Bytes;
  /** The three bytes between, when a peer set them: they mean nothing, but AUTH covers them (RFC 7296 §2.15). */
  readonly reserved?: Bytes;
}

export interface CertBody {
  readonly encoding: number;
  readonly data: Bytes;
}

export interface AuthBody {
  readonly method: number;
  readonly data: Bytes;
}

/** RFC 7296 §3.5: an address has the length of its family; any other identity is as long as it likes. */
const idLengths: Readonly<Record<number, number>> = { [IdType.ID_IPV4_ADDR]: 4, [IdType.ID_IPV6_ADDR]: 16 };

export const idPayload = (number: number): Codec<IdBody> => ({
  number,
  decode: (r) => {
    const idType = r.u8();
    const reserved = r.take(3);
    if (r.left !== (idLengths[idType] ?? r.left))
      throw ProtocolError.malformed(`identity of type ${idType} with ${r.left} bytes`);
    return { idType, data: r.rest(), ...(reserved.some((byte) => byte !== 0) && { reserved }) };
  },
  encode: encodeIdentity,
});

/** IDType | RESERVED | data: the body of the payload, which AUTH covers too. */
export function encodeIdentity(w: Writer, { idType, data, reserved = ZEROS }: IdBody): void {
  w.u8(idType).bytes(reserved).bytes(data);
}
const ZEROS = new Uint8Array(3);

export const certPayload = (number: number): Codec<CertBody> => ({
  number,
  decode: (r) => ({ encoding: r.u8(), data: r.rest() }),
  encode: (w, { encoding, data }) => {
    w.u8(encoding).bytes(data);
  },
});

export const authPayload: Codec<AuthBody> = {
  number: 39,
  decode: (r) => {
    const method = r.u8();
    r.skip(3); // RESERVED
    return { method, data: r.rest() };
  },
  encode: (w, { method, data }) => {
    w.u8(method).u8(0).u16(0).bytes(data);
  },
};
