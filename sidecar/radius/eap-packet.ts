/** The little that a pass-through reads of an EAP packet (RFC 3748 §4). */
import type { Bytes } from '../ike/wire/bytes.ts';

export interface EapPacket {
  /** The packet itself, without padding behind it. */
  readonly bytes: Bytes;
  readonly code: number;
  readonly identifier: number;
  /** 0 in Success and Failure. */
  readonly type: number;
  /** Behind the type. */
  readonly data: Bytes;
}

const CODES = { REQUEST: 1, RESPONSE: 2, SUCCESS: 3, FAILURE: 4 } as const;
const HEADER_LENGTH = 4;

export const isCode = ({ code }: EapPacket, name: keyof typeof CODES): boolean => code === CODES[name];

/** Undefined for what is no EAP packet. */
export function readEap(message: Bytes): EapPacket | undefined {
  const [code = 0, identifier = 0, high = 0, low = 0, type = 0] = message;
  const length = (high << 8) | low;
  const answers = code === CODES.SUCCESS || code === CODES.FAILURE;
  // RFC 3748 §4.1: a type at least; §4.2: nothing but the header. What lies behind the length is padding.
  const fits = answers ? length === HEADER_LENGTH : length > HEADER_LENGTH;
  if (code < CODES.REQUEST || code > CODES.FAILURE || !fits || length > message.length) return undefined;
  const bytes = message.slice(0, length);
  return { bytes, code, identifier, type: answers ? 0 : type, data: bytes.subarray(HEADER_LENGTH + 1) };
}
