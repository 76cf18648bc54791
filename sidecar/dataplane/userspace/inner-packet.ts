/** What selectors and delivery need of an inner packet: IPv4 (RFC 791) and IPv6 with its extension headers (RFC 8200 §4). */
import type { Bytes } from '../../ike/wire/bytes.ts';
import { type Arena, arenaOf } from './arena.ts';

/** One at a time: made once and filled anew, for there is one for every packet. */
export class InnerPacket {
  readonly arena: Arena;
  /** Where it begins in the arena. */
  at = 0;
  /** By its own length field: whatever follows it is none of it. */
  length = 0;
  version: 4 | 6 = 4;
  /** Next layer protocol; extension headers of IPv6 are none (RFC 4301 §4.4.1.1). */
  protocol = 0;
  /** Where the next layer begins in it. */
  headerLength = 0;
  /** Part of a packet, the first one included. */
  fragment = false;
  /** Undefined where the packet shows none (OPAQUE in RFC 4301 §4.4.1.1). ICMP and Mobility Header: type and code in both. */
  sourcePort: number | undefined;
  destinationPort: number | undefined;

  constructor(arena: Arena) {
    this.arena = arena;
  }

  /** False when the bytes are no whole IP packet. Bytes after its end are cut off (RFC 4303 §2.7: TFC padding). */
  parse(at: number, length: number): boolean {
    if (length < 20) return false;
    this.at = at;
    this.length = length;
    switch (this.arena.view.getUint8(at) >>> 4) {
      case 4:
        return this.#parseIpv4();
      case 6:
        return this.#parseIpv6();
      default:
        return false;
    }
  }

  /** The packet where it stands; these three are for the few packets that are looked at closely. */
  get bytes(): Bytes {
    return this.arena.bytes.subarray(this.at, this.at + this.length);
  }

  get source(): Bytes {
    return this.arena.bytes.subarray(this.sourceAt, this.destinationAt);
  }

  get destination(): Bytes {
    return this.arena.bytes.subarray(this.destinationAt, this.destinationAt + this.addressLength);
  }

  get sourceAt(): number {
    return this.at + (this.version === 4 ? 12 : 8);
  }

  get destinationAt(): number {
    return this.at + (this.version === 4 ? 16 : 24);
  }

  get addressLength(): number {
    return this.version === 4 ? 4 : 16;
  }

  #parseIpv4(): boolean {
    const { view } = this.arena;
    const { at } = this;
    const headerLength = (view.getUint8(at) & 0x0f) * 4;
    const length = view.getUint16(at + 2);
    if (headerLength < 20 || length < headerLength || length > this.length) return false;
    const fragmentation = view.getUint16(at + 6);
    this.version = 4;
    this.length = length;
    this.protocol = view.getUint8(at + 9);
    this.headerLength = headerLength;
    this.fragment = (fragmentation & 0x3fff) !== 0;
    this.#findPorts((fragmentation & 0x1fff) !== 0);
    return true;
  }

  #parseIpv6(): boolean {
    if (this.length < 40) return false;
    const length = 40 + this.arena.view.getUint16(this.at + 4);
    if (length > this.length) return false;
    this.version = 6;
    this.length = length;
    return this.#findNextLayer();
  }

  /** Follows the chain of extension headers. */
  #findNextLayer(): boolean {
    const { view } = this.arena;
    this.protocol = view.getUint8(this.at + 6);
    this.headerLength = 40;
    this.fragment = false;
    let later = false;
    while (!later && isExtension(this.protocol)) {
      const at = this.at + this.headerLength;
      if (this.headerLength + 8 > this.length) return false;
      const size = extensionLength(this.protocol, view.getUint8(at + 1));
      if (this.headerLength + size > this.length) return false;
      // A fragment that does not hold the start of the next layer.
      later = this.protocol === Extension.FRAGMENT && view.getUint16(at + 2) >= 8;
      this.fragment ||= this.protocol === Extension.FRAGMENT;
      this.protocol = view.getUint8(at);
      this.headerLength += size;
    }
    this.#findPorts(later);
    return true;
  }

  #findPorts(later: boolean): void {
    const { view } = this.arena;
    const at = this.at + this.headerLength;
    this.sourcePort = undefined;
    this.destinationPort = undefined;
    if (later || this.headerLength + 4 > this.length) return;
    if (hasPorts(this.protocol)) {
      this.sourcePort = view.getUint16(at);
      this.destinationPort = view.getUint16(at + 2);
    }
    // RFC 4301 §4.4.1.1: an ICMP type and code are one 16-bit value, a Mobility Header type fills the upper byte.
    else if (this.protocol === IpProtocol.ICMP || this.protocol === IpProtocol.ICMPV6) this.#inBoth(view.getUint16(at));
    else if (this.protocol === IpProtocol.MOBILITY) this.#inBoth(view.getUint8(at + 2) << 8);
  }

  #inBoth(port: number): void {
    this.sourcePort = port;
    this.destinationPort = port;
  }
}

/** Undefined when the bytes are no whole IP packet. */
export function parseInnerPacket(bytes: Bytes): InnerPacket | undefined {
  const packet = new InnerPacket(arenaOf(bytes));
  return packet.parse(0, bytes.length) ? packet : undefined;
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

const hasPorts = (protocol: number): boolean =>
  protocol === IpProtocol.TCP ||
  protocol === IpProtocol.UDP ||
  protocol === IpProtocol.DCCP ||
  protocol === IpProtocol.SCTP ||
  protocol === IpProtocol.UDP_LITE;

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
