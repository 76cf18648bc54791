/** One hop less for a packet that goes on to another peer (RFC 4301 §5.1.2.1 note 2): what comes round in a circle dies out. */
import type { Bytes } from '../../ike/wire/bytes.ts';
import { updateChecksum } from './checksum.ts';
import type { InnerPacket } from './inner-packet.ts';

/** A copy of the packet; undefined when no hop is left. No ICMP time exceeded: a gateway shows up in no traceroute between two peers. */
export function nextHop(packet: InnerPacket): InnerPacket | undefined {
  const bytes = Uint8Array.from(packet.bytes);
  const alive = packet.version === 4 ? decrementIpv4(bytes) : decrementIpv6(bytes);
  return alive ? { ...packet, bytes } : undefined;
}

function decrementIpv4(bytes: Bytes): boolean {
  const view = new DataView(bytes.buffer);
  const before = view.getUint16(8);
  if (before < 0x0200) return false;
  const after = before - 0x0100;
  view.setUint16(8, after);
  // Updated, not computed anew: a header that came damaged stays recognisable as such.
  view.setUint16(10, updateChecksum(view.getUint16(10), before, after));
  return true;
}

function decrementIpv6(bytes: Bytes): boolean {
  const view = new DataView(bytes.buffer);
  const hops = view.getUint8(7);
  if (hops < 2) return false;
  view.setUint8(7, hops - 1);
  return true;
}
