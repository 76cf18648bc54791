/** Outer addresses as text, the way they stand in a path: `192.0.2.1:500`, `[2001:db8::1]:4500`. */
import { formatAddress, parseAddress } from './ip-address.ts';
import type { Bytes } from './wire/bytes.ts';

export interface Endpoint {
  /** 4 or 16 bytes. */
  readonly address: Bytes;
  readonly port: number;
}

const PATTERN = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):([0-9]{1,5})$/;

/** Of late: every message of a peer names the same ones. */
const known = new Map<string, Endpoint>();
const MOST_KNOWN = 4_096;

/** @throws RangeError for anything else: a path comes from the shell, never from a peer. */
export function parseEndpoint(text: string): Endpoint {
  const found = known.get(text);
  if (found) return found;
  const endpoint = parseAnew(text);
  if (known.size >= MOST_KNOWN) known.clear();
  known.set(text, endpoint);
  return endpoint;
}

function parseAnew(text: string): Endpoint {
  const [, ipv6, ipv4, digits] = PATTERN.exec(text) ?? [];
  const port = Number(digits);
  const address = parseAddress(ipv6 ?? ipv4 ?? '');
  if (address.length !== (ipv6 === undefined ? 4 : 16) || !(port <= 0xffff)) throw new RangeError(`not an endpoint: ${text}`);
  return { address, port };
}

export function formatEndpoint({ address, port }: Endpoint): string {
  const host = formatAddress(address);
  return address.length === 16 ? `[${host}]:${port}` : `${host}:${port}`;
}
