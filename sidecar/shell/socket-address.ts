/** Socket addresses as Linux lays them out (struct sockaddr_in, sockaddr_in6), from and to the endpoints of paths. */
import { formatAddress, parseAddress } from '../ike/ip-address.ts';
import type { Bytes } from '../ike/wire/bytes.ts';
import { formatEndpoint, splitEndpoint } from './endpoint.ts';

export const SOCKET_ADDRESS_BYTES = 28;
export const AF_INET = 2;
export const AF_INET6 = 10;
const IPV4_BYTES = 16;

/** Undefined for an endpoint that nothing can be sent to: its port is 0. @throws RangeError for text that is no address. */
export function socketAddress(endpoint: string): Bytes | undefined {
  const { address, port } = splitEndpoint(endpoint);
  return port > 0 && port <= 0xffff ? encodeSocketAddress(address, port) : undefined;
}

/** @throws RangeError for text that is no address. */
export function encodeSocketAddress(address: string, port: number): Bytes {
  const bytes = parseAddress(address);
  const isIpv4 = bytes.length === 4;
  const out = new Uint8Array(isIpv4 ? IPV4_BYTES : SOCKET_ADDRESS_BYTES);
  out[0] = isIpv4 ? AF_INET : AF_INET6; // in the order of the machine; both are little-endian ones
  out[2] = port >> 8;
  out[3] = port & 0xff;
  out.set(bytes, isIpv4 ? 4 : 8);
  return out;
}

export interface Source {
  readonly endpoint: string;
  readonly port: number;
  /** The address is one of a single interface (fe80::1%2). */
  readonly scoped: boolean;
}

/** `view` begins at the address and is SOCKET_ADDRESS_BYTES long. */
export function decodeSocketAddress(view: DataView): Source {
  const isIpv4 = view.getUint16(0, true) === AF_INET;
  const port = view.getUint16(2);
  const address = new Uint8Array(view.buffer, view.byteOffset + (isIpv4 ? 4 : 8), isIpv4 ? 4 : 16);
  return { endpoint: formatEndpoint(formatAddress(address), port), port, scoped: !isIpv4 && view.getUint32(24, true) !== 0 };
}
