/** The attributes that we write and read, by their IANA numbers, and the kinds of values that they hold (RFC 2865 §5, RFC 2866 §5, RFC 2869 §5, RFC 3162 §2, RFC 6911 §3). */
import { ProtocolError } from '../ike/error.ts';
import { type Bytes, concat, text, u32Bytes, utf8 } from '../ike/wire/bytes.ts';
import { type Attribute, MAX_VALUE } from './packet.ts';

export const Type = {
  USER_NAME: 1,
  SERVICE_TYPE: 6,
  FRAMED_IP_ADDRESS: 8,
  FRAMED_MTU: 12,
  REPLY_MESSAGE: 18,
  STATE: 24,
  CLASS: 25,
  VENDOR_SPECIFIC: 26,
  SESSION_TIMEOUT: 27,
  CALLED_STATION_ID: 30,
  CALLING_STATION_ID: 31,
  NAS_IDENTIFIER: 32,
  ACCT_STATUS_TYPE: 40,
  ACCT_DELAY_TIME: 41,
  ACCT_INPUT_OCTETS: 42,
  ACCT_OUTPUT_OCTETS: 43,
  ACCT_SESSION_ID: 44,
  ACCT_AUTHENTIC: 45,
  ACCT_SESSION_TIME: 46,
  ACCT_INPUT_PACKETS: 47,
  ACCT_OUTPUT_PACKETS: 48,
  ACCT_TERMINATE_CAUSE: 49,
  ACCT_MULTI_SESSION_ID: 50,
  ACCT_INPUT_GIGAWORDS: 52,
  ACCT_OUTPUT_GIGAWORDS: 53,
  EVENT_TIMESTAMP: 55,
  NAS_PORT_TYPE: 61,
  EAP_MESSAGE: 79,
  MESSAGE_AUTHENTICATOR: 80,
  ACCT_INTERIM_INTERVAL: 85,
  NAS_PORT_ID: 87,
  FRAMED_IPV6_PREFIX: 97,
  FRAMED_IPV6_ADDRESS: 168,
} as const;

export const ServiceType = { FRAMED: 2 } as const;
export const NasPortType = { VIRTUAL: 5 } as const;

export const bytesAttribute = (type: number, value: Bytes): Attribute => ({ type, value });
export const integerAttribute = (type: number, value: number): Attribute => ({ type, value: u32Bytes(value) });

/** Cut to what an attribute holds, at a whole character. */
export function textAttribute(type: number, value: string): Attribute {
  let bytes = utf8(value);
  for (let end = value.length; bytes.length > MAX_VALUE; ) bytes = utf8(value.slice(0, --end));
  return { type, value: bytes };
}

/** RFC 3579 §3.1: consecutive attributes that are one EAP packet together. */
export function eapAttributes(message: Bytes): readonly Attribute[] {
  const count = Math.ceil(message.length / MAX_VALUE);
  return Array.from({ length: count }, (_, at) => ({
    type: Type.EAP_MESSAGE,
    value: message.subarray(at * MAX_VALUE, (at + 1) * MAX_VALUE),
  }));
}

export function eapMessage(attributes: readonly Attribute[]): Bytes | undefined {
  const parts = valuesOf(attributes, Type.EAP_MESSAGE);
  return parts.length > 0 ? concat(...parts) : undefined;
}

export const valuesOf = (attributes: readonly Attribute[], type: number): readonly Bytes[] =>
  attributes.filter((one) => one.type === type && one.value.length > 0).map(({ value }) => value);

/** Of the first one with a value of the right length. */
export function integerOf(attributes: readonly Attribute[], type: number): number | undefined {
  const value = valuesOf(attributes, type).find(({ length }) => length === 4);
  return value && new DataView(value.buffer, value.byteOffset, 4).getUint32(0);
}

/** Of the first one; undefined when it is not UTF-8. */
export function textOf(attributes: readonly Attribute[], type: number): string | undefined {
  const [value] = valuesOf(attributes, type);
  try {
    return value && text(value);
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}
