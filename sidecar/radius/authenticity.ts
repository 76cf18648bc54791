/** How packets prove that they come from somebody with the shared secret (RFC 2865 §3, RFC 2866 §3, RFC 3579 §3.2). */
import { hmac } from '@noble/hashes/hmac.js';
import { md5 } from '@noble/hashes/legacy.js';
import { type Bytes, concat, equalBytes } from '../ike/wire/bytes.ts';
import { Type } from './attribute.ts';
import {
  type Attribute,
  AUTHENTICATOR_AT,
  AUTHENTICATOR_LENGTH,
  Code,
  decodePacket,
  encodePacket,
  HEADER_LENGTH,
  type Packet,
} from './packet.ts';

/** A request on its way. */
export interface SealedRequest {
  readonly code: number;
  readonly bytes: Bytes;
  /** The Request Authenticator: the response is bound to it. */
  readonly authenticator: Bytes;
}

interface Request {
  readonly code: number;
  readonly identifier: number;
  readonly attributes: readonly Attribute[];
}

const ZEROS = new Uint8Array(AUTHENTICATOR_LENGTH);
const FIRST_VALUE_AT = 22;

/** `random`: 16 bytes that cannot be predicted (RFC 2865 §3). */
export function sealAccess({ code, identifier, attributes }: Request, secret: Bytes, random: Bytes): SealedRequest {
  // It stands first, so that nobody who chooses a prefix of the packet gets in front of it (the attack on MD5 of CVE-2024-3596).
  const whole = [{ type: Type.MESSAGE_AUTHENTICATOR, value: ZEROS }, ...attributes];
  const bytes = encodePacket({ code, identifier, authenticator: random, attributes: whole });
  // RFC 3579 §3.2: HMAC-MD5 over the whole packet, the attribute itself being zeros.
  bytes.set(hmac(md5, secret, bytes), FIRST_VALUE_AT);
  return { code, bytes, authenticator: random };
}

/** RFC 2866 §3: the authenticator is MD5 over the packet, with zeros in its place, and the secret; RFC 2869 §5.19 wants no Message-Authenticator here. */
export function sealAccounting({ identifier, attributes }: Omit<Request, 'code'>, secret: Bytes): SealedRequest {
  const code = Code.ACCOUNTING_REQUEST;
  const bytes = encodePacket({ code, identifier, authenticator: ZEROS, attributes });
  const authenticator = md5(concat(bytes, secret));
  bytes.set(authenticator, AUTHENTICATOR_AT);
  return { code, bytes, authenticator };
}

/** Undefined unless somebody with the secret answered this very request. @throws ProtocolError (malformed) */
export function openResponse(
  datagram: Bytes,
  request: Pick<SealedRequest, 'code' | 'authenticator'>,
  secret: Bytes,
): Packet | undefined {
  const response = decodePacket(datagram);
  if (!(ANSWERS[request.code] ?? []).includes(response.code)) return undefined;
  const bound = Uint8Array.from(datagram.subarray(0, sizeOf(response.attributes)));
  bound.set(request.authenticator, AUTHENTICATOR_AT);
  // RFC 2865 §3: MD5(Code+ID+Length+RequestAuth+Attributes+Secret).
  if (!equalBytes(md5(concat(bound, secret)), response.authenticator)) return undefined;
  return request.code === Code.ACCOUNTING_REQUEST || isAuthenticated(response, bound, secret) ? response : undefined;
}

const ANSWERS: Readonly<Record<number, readonly number[]>> = {
  [Code.ACCESS_REQUEST]: [Code.ACCESS_ACCEPT, Code.ACCESS_REJECT, Code.ACCESS_CHALLENGE],
  [Code.ACCOUNTING_REQUEST]: [Code.ACCOUNTING_RESPONSE],
  // RFC 5997 §3.1: at a port for authentication and at one for accounting.
  [Code.STATUS_SERVER]: [Code.ACCESS_ACCEPT, Code.ACCOUNTING_RESPONSE],
};

/**
 * RFC 3579 §3.1: "A NAS supporting the EAP-Message attribute MUST calculate the correct value of the Message-Authenticator and MUST silently
 * discard the packet if it does not match". We demand one of every answer, with or without EAP (CVE-2024-3596).
 */
function isAuthenticated({ attributes }: Packet, bound: Bytes, secret: Bytes): boolean {
  const all = attributes.filter(({ type }) => type === Type.MESSAGE_AUTHENTICATOR);
  const given = all[0]?.value;
  // RFC 3579 §3.3: at most one.
  if (all.length !== 1 || given?.length !== AUTHENTICATOR_LENGTH) return false;
  const before = attributes.slice(
    0,
    attributes.findIndex(({ type }) => type === Type.MESSAGE_AUTHENTICATOR),
  );
  const blank = bound.slice();
  blank.fill(0, sizeOf(before) + 2, sizeOf(before) + 2 + AUTHENTICATOR_LENGTH);
  return equalBytes(hmac(md5, secret, blank), given);
}

/** Of a packet with these attributes. */
const sizeOf = (attributes: readonly Attribute[]): number =>
  attributes.reduce((sum, { value }) => sum + value.length + 2, HEADER_LENGTH);
