/** What selectors and delivery need of an inner packet: IPv4 (RFC 791) and IPv6 with its extension headers (RFC 8200 §4). */
import type { Bytes } from '../../ike/wire/bytes.ts';

export interface InnerPacket {
  readonly version: 4 | 6;
  /** The packet by its own length field: whatever followed it is gone. */
  readonly bytes: Bytes;
  readonly source: Bytes;
  readonly destination: Bytes;
  /** Next layer protocol; extension headers of IPv6 are none (RFC 4301 §4.4.1.1). */
  readonly protocol: number;
  /** Where the next layer begins in `bytes`. */
  readonly headerLength: number;
  /** Part of a packet, the first one included. */
  readonly fragment: boolean;
  /** Undefined where the packet shows none (OPAQUE in RFC 4301 §4.4.1.1). ICMP and Mobility Header: type and code in both. */
  readonly sourcePort: number | undefined;
  readonly destinationPort: number | undefined;
}

/** IANA protocol numbers. */
export const IpProtocol = {
  ICMP: 1,
  IPV4: 4,
  TCP: 6,
  UDP: 17,
  DCCP: 33,
  IPV6: 41,
  ICMPV6: 58,
  NONE: 59,
  SCTP: 132,
  MOBILITY: 135,
  UDP_LITE: 136,
} as const;
const Extension = { HOP_BY_HOP: 0, ROUTING: 43, FRAGMENT: 44, AUTHENTICATION: 51, DESTINATION: 60 } as const;
const withPorts: ReadonlySet<number> = new Set([
  IpProtocol.TCP,
  IpProtocol.UDP,
  IpProtocol.DCCP,
  IpProtocol.SCTP,
  IpProtocol.UDP_LITE,
]);

/** Undefined when the bytes are no whole IP packet. Bytes after its end are cut off (RFC 4303 §2.7: TFC padding). */
export function parseInnerPacket(bytes: Bytes): InnerPacket | undefined {
  if (bytes.length < 20) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (view.getUint8(0) >>> 4) {
    case 4:
      return parseIpv4(bytes, view);
    case 6:
      return parseIpv6(bytes, view);
    default:
      return undefined;
  }
}

function parseIpv4(bytes: Bytes, view: DataView): InnerPacket | undefined {
  const headerLength = (view.getUint8(0) & 0x0f) * 4;
  const length = view.getUint16(2);
  if (headerLength < 20 || length < headerLength || length > bytes.length) return undefined;
  const fragmentation = view.getUint16(6);
  const protocol = view.getUint8(9);
  return {
    version: 4,
    bytes: bytes.subarray(0, length),
    source: bytes.subarray(12, 16),
    destination: bytes.subarray(16, 20),
    protocol,
    headerLength,
    fragment: (fragmentation & 0x3fff) !== 0,
    ...ports(view, protocol, headerLength, length, (fragmentation & 0x1fff) !== 0),
  };
}

function parseIpv6(bytes: Bytes, view: DataView): InnerPacket | undefined {
  const length = 40 + view.getUint16(4);
  if (length > bytes.length) return undefined;
  const next = nextLayer(view, length);
  if (next === undefined) return undefined;
  return {
    version: 6,
    bytes: bytes.subarray(0, length),
    source: bytes.subarray(8, 24),
    destination: bytes.subarray(24, 40),
    protocol: next.protocol,
    headerLength: next.at,
    fragment: next.fragment,
    ...ports(view, next.protocol, next.at, length, next.later),
  };
}

/** Follows the chain of extension headers. `later`: a fragment that does not hold the start of the next layer. */
function nextLayer(
  view: DataView,
  length: number,
): { protocol: number; at: number; fragment: boolean; later: boolean } | undefined {
  let protocol = view.getUint8(6);
  let at = 40;
  let fragment = false;
  while (isExtension(protocol)) {
    if (at + 8 > length) return undefined;
    const size = extensionLength(protocol, view.getUint8(at + 1));
    if (at + size > length) return undefined;
    const later = protocol === Extension.FRAGMENT && view.getUint16(at + 2) >= 8;
    fragment ||= protocol === Extension.FRAGMENT;
    protocol = view.getUint8(at);
    at += size;
    if (later) return { protocol, at, fragment, later };
  }
  return { protocol, at, fragment, later: false };
}

const isExtension = (protocol: number): boolean =>
  protocol === Extension.HOP_BY_HOP ||
  protocol === Extension.ROUTING ||
  protocol === Extension.FRAGMENT ||
  protocol === Extension.AUTHENTICATION ||
  protocol === Extension.DESTINATION;

function extensionLength(protocol: number, field: number): number {
  if (protocol === Extension.FRAGMENT) return 8;
  return protocol === Extension.AUTHENTICATION ? (field + 2) * 4 : (field + 1) * 8;
}

function ports(
  view: DataView,
  protocol: number,
  at: number,
  length: number,
  later: boolean,
): Pick<InnerPacket, 'sourcePort' | 'destinationPort'> {
  const opaque = { sourcePort: undefined, destinationPort: undefined };
  if (later || at + 4 > length) return opaque;
  if (withPorts.has(protocol)) return { sourcePort: view.getUint16(at), destinationPort: view.getUint16(at + 2) };
  // RFC 4301 §4.4.1.1: an ICMP type and code are one 16-bit value, a Mobility Header type fills the upper byte.
  if (protocol === IpProtocol.ICMP || protocol === IpProtocol.ICMPV6) return both(view.getUint16(at));
  if (protocol === IpProtocol.MOBILITY) return both(view.getUint8(at + 2) << 8);
  return opaque;
}

const both = (port: number) => ({ sourcePort: port, destinationPort: port });
