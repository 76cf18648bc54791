/** IPv4 and IPv6 addresses and prefixes as text and bytes (RFC 4291 §2.2, written as in RFC 5952). */
import { type Shape, spelled } from './schema.ts';

/** 4 or 16 bytes; undefined for anything else, scoped addresses included. */
export function parseAddress(text: string): Uint8Array | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

export const formatAddress = (bytes: Uint8Array): string => (bytes.length === 4 ? bytes.join('.') : formatIpv6(bytes));

export interface Prefix {
  readonly address: Uint8Array;
  readonly bits: number;
}

/** `address/length` without bits beyond the length. */
export function parsePrefix(text: string): Prefix | undefined {
  const [, left, right] = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text) ?? [];
  const address = left === undefined ? undefined : parseAddress(left);
  const bits = Number(right);
  return address !== undefined && bits <= address.length * 8 ? { address, bits } : undefined;
}

/** The address with all bits behind the length cleared. */
export const network = ({ address, bits }: Prefix): Uint8Array =>
  address.map((byte, index) => byte & (0xff00 >> Math.min(8, Math.max(0, bits - 8 * index))));

export const formatPrefix = ({ address, bits }: Prefix): string => `${formatAddress(address)}/${bits}`;

export function overlap(a: Prefix, b: Prefix): boolean {
  if (a.address.length !== b.address.length) return false;
  const bits = Math.min(a.bits, b.bits);
  return formatAddress(network({ ...a, bits })) === formatAddress(network({ ...b, bits }));
}

/** Kept as the text that was given: the core parses it to bytes. */
export const address: Shape<string> = spelled({
  what: 'an IPv4 or IPv6 address',
  remedy: 'write for instance 10.8.0.1 or 2001:db8::1',
  parse: (text) => (parseAddress(text) ? text : undefined),
  format: (text) => text,
});

export const prefix: Shape<string> = {
  read(value, place) {
    const read = prefixText.read(value, place);
    const parsed = typeof read === 'string' ? parsePrefix(read) : undefined;
    if (!parsed || formatAddress(network(parsed)) === formatAddress(parsed.address)) return read;
    return place.refuse(
      `bits are set behind the length of the prefix: "${read.toString()}"`,
      `write ${formatPrefix({ ...parsed, address: network(parsed) })}`,
    );
  },
  write: (value) => value,
};

const prefixText: Shape<string> = spelled({
  what: 'an IPv4 or IPv6 prefix',
  remedy: 'write it as address/length, for instance 10.8.0.0/24',
  parse: (text) => (parsePrefix(text) ? text : undefined),
  format: (text) => text,
});

function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) return undefined;
  return Uint8Array.from(parts, Number);
}

function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = [groups(halves[0]), groups(halves[1])];
  if (!head || !tail) return undefined;
  const gap = 8 - head.length - tail.length;
  if (halves.length === 2 ? gap < 1 : gap !== 0) return undefined;
  const all = [...head, ...Array<number>(gap).fill(0), ...tail];
  return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}

/** 16-bit groups; the last two may be written as an IPv4 address. */
function groups(text: string | undefined): readonly number[] | undefined {
  if (text === undefined || text === '') return [];
  const parts = text.split(':');
  const dotted = parts.at(-1)?.includes('.') ? parseIpv4(parts.pop() ?? '') : new Uint8Array(0);
  if (!dotted || !parts.every((part) => /^[0-9a-f]{1,4}$/i.test(part))) return undefined;
  const [a, b, c, d] = dotted;
  const last = a === undefined || b === undefined || c === undefined || d === undefined ? [] : [(a << 8) | b, (c << 8) | d];
  return [...parts.map((part) => Number.parseInt(part, 16)), ...last];
}

/** RFC 5952 §4.2: the longest run of zero groups is shortened, the first of equals, never a single one. */
function formatIpv6(bytes: Uint8Array): string {
  const parts = Array.from({ length: 8 }, (_, i) => (((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0)).toString(16));
  const zeros = parts.map((_, start) => parts.slice(start).findIndex((part) => part !== '0'));
  const runs = zeros.map((length, start) => (length === -1 ? 8 - start : length));
  const longest = Math.max(...runs);
  if (longest < 2) return parts.join(':');
  const start = runs.indexOf(longest);
  return `${parts.slice(0, start).join(':')}::${parts.slice(start + longest).join(':')}`;
}
