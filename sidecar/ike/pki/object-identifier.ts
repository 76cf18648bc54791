/** Object identifiers that certificates are made of, by the bytes of their DER in hex. */
import { type Bytes, hex } from '../wire/bytes.ts';

/** RFC 5280 §4.2. */
export const ExtensionId = {
  SUBJECT_KEY_IDENTIFIER: '551d0e',
  KEY_USAGE: '551d0f',
  SUBJECT_ALT_NAME: '551d11',
  BASIC_CONSTRAINTS: '551d13',
  CRL_NUMBER: '551d14',
  DELTA_CRL_INDICATOR: '551d1b',
  ISSUING_DISTRIBUTION_POINT: '551d1c',
  NAME_CONSTRAINTS: '551d1e',
  CERTIFICATE_POLICIES: '551d20',
  AUTHORITY_KEY_IDENTIFIER: '551d23',
  EXTENDED_KEY_USAGE: '551d25',
} as const;

/** RFC 5280 §4.2.1.12, RFC 4945 §5.1.3.12, and the older one that Apple and strongSwan know. */
export const Purpose = {
  ANY: '551d2500',
  SERVER_AUTH: '2b06010505070301',
  CLIENT_AUTH: '2b06010505070302',
  OCSP_SIGNING: '2b06010505070309',
  IPSEC_IKE: '2b06010505070311',
  IKE_INTERMEDIATE: '2b06010505080202',
} as const;

/** `2.5.4.3`; hexadecimal when a number is too large to be shown. */
export function dotted(bytes: Bytes): string {
  const numbers: number[] = [];
  let number = 0;
  for (const byte of bytes) {
    number = number * 0x80 + (byte & 0x7f);
    if (number > Number.MAX_SAFE_INTEGER / 0x80) return hex(bytes);
    if (byte >= 0x80) continue;
    numbers.push(number);
    number = 0;
  }
  const [first = 0, ...rest] = numbers;
  const top = Math.min(Math.floor(first / 40), 2);
  return [top, first - 40 * top, ...rest].join('.');
}
