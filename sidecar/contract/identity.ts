/** Identities as text (RFC 7296 §3.5): `192.0.2.1`, `2001:db8::1`, `vpn.example.com`, `alice@example.com`, `keyid:0a0b`, and `id:type:hex` for all others. */
import { bytesToHex as hex, hexToBytes as unhex } from '@noble/hashes/utils.js';
import { formatAddress, parseAddress } from './address.ts';
import type { Identity } from './gateway-config.ts';
import { type Shape, spelled } from './schema.ts';

export const ID_IPV4_ADDR = 1;
export const ID_FQDN = 2;
export const ID_RFC822_ADDR = 3;
export const ID_IPV6_ADDR = 5;
const ID_KEY_ID = 11;

export const IDENTITY_REMEDY = 'write an address, a domain name, user@domain, or keyid: and an even number of hexadecimal digits';

/** @throws RangeError that says what is wrong and how to write it. */
export function parseIdentity(text: string): Identity {
  const identity = readIdentity(text);
  if (!identity) throw new RangeError(`not an identity: ${JSON.stringify(text)}; ${IDENTITY_REMEDY}`);
  return identity;
}

/** Total, and parseIdentity takes it back to the same bytes: whatever a peer sends as identity can be logged. */
export function formatIdentity({ idType, data }: Identity): string {
  const plain = plainText(idType, data);
  const back = plain === undefined ? undefined : readIdentity(plain);
  const same = back?.idType === idType && hex(back.data) === hex(data);
  return plain !== undefined && same ? plain : `id:${idType}:${hex(data)}`;
}

export const identity: Shape<Identity> = spelled({
  what: 'an identity',
  remedy: IDENTITY_REMEDY,
  parse: readIdentity,
  format: formatIdentity,
});

/** Undefined when it is none. */
export function readIdentity(text: string): Identity | undefined {
  const [, type, digits] = /^id:(\d{1,3}):((?:[0-9a-f]{2})*)$/i.exec(text) ?? [];
  if (type !== undefined && digits !== undefined)
    return Number(type) <= 255 ? { idType: Number(type), data: unhex(digits) } : undefined;
  const [, keyId] = /^keyid:((?:[0-9a-f]{2})+)$/i.exec(text) ?? [];
  if (keyId !== undefined) return { idType: ID_KEY_ID, data: unhex(keyId) };
  const address = parseAddress(text);
  if (address) return { idType: address.length === 4 ? ID_IPV4_ADDR : ID_IPV6_ADDR, data: address };
  if (/^[\x21-\x3f\x41-\x7e]+@[\w.-]+$/.test(text)) return { idType: ID_RFC822_ADDR, data: ascii(text) };
  // A name of digits and dots would be a mistyped address.
  if (/^[\w-]+(\.[\w-]+)*\.?$/.test(text) && /[A-Za-z]/.test(text)) return { idType: ID_FQDN, data: ascii(text) };
  return undefined;
}

function plainText(idType: number, data: Uint8Array): string | undefined {
  switch (idType) {
    case ID_IPV4_ADDR:
    case ID_IPV6_ADDR:
      return data.length === 4 || data.length === 16 ? formatAddress(data) : undefined;
    case ID_FQDN:
    case ID_RFC822_ADDR:
      return String.fromCharCode(...data.subarray(0, 512));
    case ID_KEY_ID:
      return `keyid:${hex(data)}`;
    default:
      return undefined;
  }
}

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));
