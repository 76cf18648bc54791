/** IPv4 and IPv6 addresses as bytes (4 or 16) and as text, IPv6 in the one canonical spelling of RFC 5952; prefixes. */
import { type Bytes, concat, EMPTY } from './wire/bytes.ts';

export interface Prefix {
  /** The address as written; its host bits are not cleared. */
  readonly bytes: Bytes;
  readonly length: number;
}

export type Family = 4 | 6;
export const familyOf = (address: Bytes): Family => (address.length === 4 ? 4 : 6);

/** @throws RangeError for text that is no address. */
export function parseAddress(text: string): Bytes {
  const bytes = text.includes(':') ? parseIpv6(text) : parseIpv4(text);
  if (bytes === undefined) throw new RangeError(`not an IPv4 or IPv6 address: ${text}`);
  return bytes;
}

/** @throws RangeError for text that is no address/length. */
export function parsePrefix(cidr: string): Prefix {
  const [, address, digits] = /^([^/]+)\/([0-9]{1,3})$/.exec(cidr) ?? [];
  if (address === undefined) throw new RangeError(`not a prefix: ${cidr}`);
  const bytes = parseAddress(address);
  const length = Number(digits);
  if (length > 8 * bytes.length) throw new RangeError(`not a prefix: ${cidr}`);
  return { bytes, length };
}

/** Lists of a configuration, each parsed once for as long as it is in force. @throws RangeError */
export const parseAddresses = perList(parseAddress);
export const parsePrefixes = perList(parsePrefix);

export function perList<T>(parse: (text: string) => T): (texts: readonly string[]) => readonly T[] {
  const parsed = new WeakMap<readonly string[], readonly T[]>();
  return (texts) => {
    const known = parsed.get(texts);
    if (known) return known;
    const values = texts.map(parse);
    parsed.set(texts, values);
    return values;
  };
}

/** Of two addresses of one family: below, at or above 0 as the first is lower, equal or higher. */
export function compareAddresses(left: Bytes, right: Bytes): number {
  for (let at = 0; at < left.length; at++) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The first and the last address of a prefix. */
export function prefixRange({ bytes, length }: Prefix): { start: Bytes; end: Bytes } {
  const mask = bytes.map((_, at) => 0xff & (0xff00 >> Math.min(8, Math.max(0, length - 8 * at))));
  return {
    start: bytes.map((byte, at) => byte & (mask[at] ?? 0)),
    end: bytes.map((byte, at) => byte | (0xff & ~(mask[at] ?? 0))),
  };
}

export const formatAddress = (address: Bytes): string => (address.length === 4 ? address.join('.') : formatIpv6(address));

function parseIpv4(text: string): Bytes | undefined {
  // No leading zeros: some read them as octal.
  if (!IPV4.test(text)) return undefined;
  return Uint8Array.from(text.split('.'), Number);
}

const OCTET = '(?:0|[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5])';
const IPV4 = new RegExp(`^${OCTET}(?:[.]${OCTET}){3}$`);

function parseIpv6(text: string): Bytes | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half, at) => parseGroups(half, at === halves.length - 1));
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined;
  if (tail === undefined) return head.length === 16 ? head : undefined;
  // RFC 4291 §2.2: "::" stands for one or more groups of zeros.
  const zeros = 16 - head.length - tail.length;
  return zeros >= 2 ? concat(head, new Uint8Array(zeros), tail) : undefined;
}

/** Groups of four hexadecimal digits; the last two of an address may be spelled as IPv4. */
function parseGroups(text: string, mayEndInIpv4: boolean): Bytes | undefined {
  if (text === '') return EMPTY;
  const groups = text.split(':');
  const bytes = groups.map((group, at) => {
    if (mayEndInIpv4 && at === groups.length - 1 && group.includes('.')) return parseIpv4(group);
    if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined;
    const value = Number.parseInt(group, 16);
    return Uint8Array.of(value >> 8, value & 0xff);
  });
  return bytes.every((group) => group !== undefined) ? concat(...bytes) : undefined;
}

/** RFC 5952 §4: lower case, no leading zeros, the first longest run of two or more zero groups as "::". */
function formatIpv6(address: Bytes): string {
  const groups = Array.from({ length: 8 }, (_, at) => ((address[2 * at] ?? 0) << 8) | (address[2 * at + 1] ?? 0));
  const { at, length } = longestZeros(groups);
  const text = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  return length < 2 ? text(groups) : `${text(groups.slice(0, at))}::${text(groups.slice(at + length))}`;
}

function longestZeros(groups: readonly number[]): { at: number; length: number } {
  let best = { at: 0, length: 0 };
  for (let at = 0; at < groups.length; at++) {
    const next = groups.findIndex((group, index) => index >= at && group !== 0);
    const length = (next === -1 ? groups.length : next) - at;
    if (length > best.length) best = { at, length };
  }
  return best;
}
