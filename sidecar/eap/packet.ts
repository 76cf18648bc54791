/** EAP packets (RFC 3748 §4): a code, an identifier, and in requests and responses a type with its data. */

import { type Bytes, concat, EMPTY, Reader } from '../ike/wire/bytes.ts';
import { eapBody, eapBytes } from '../ike/wire/eap-payload.ts';
import { EapCode } from '../ike/wire/registry.ts';

export type EapPacket =
  | { readonly code: 1 | 2; readonly identifier: number; readonly type: number; readonly data: Bytes }
  | { readonly code: 3 | 4; readonly identifier: number };

/** RFC 3748 §5; 26: draft-kamath-pppext-eap-mschapv2. */
export const EapType = { IDENTITY: 1, NOTIFICATION: 2, NAK: 3, TLS: 13, MSCHAPV2: 26 } as const;

/** @throws ProtocolError (malformed). */
export function decodeEap(message: Bytes): EapPacket {
  const { code, identifier, data } = eapBody(message);
  if (code === EapCode.SUCCESS || code === EapCode.FAILURE) return { code, identifier };
  const r = new Reader(data);
  return { code: code === EapCode.REQUEST ? EapCode.REQUEST : EapCode.RESPONSE, identifier, type: r.u8(), data: r.rest() };
}

export function encodeEap(packet: EapPacket): Bytes {
  const { code, identifier } = packet;
  const data = 'type' in packet ? concat(Uint8Array.of(packet.type), packet.data) : EMPTY;
  return eapBytes({ code, identifier, data });
}
