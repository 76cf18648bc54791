/** One hop less for a packet that goes on to another peer (RFC 4301 §5.1.2.1 note 2): what comes round in a circle dies out. */
import { updateChecksum } from './checksum.ts';
import type { InnerPacket } from './inner-packet.ts';

/** Changes the packet; false when no hop is left. No ICMP time exceeded: a gateway shows up in no traceroute between two peers. */
export const takeHop = (packet: InnerPacket): boolean => (packet.version === 4 ? takeIpv4(packet) : takeIpv6(packet));

function takeIpv4({ arena: { view }, at }: InnerPacket): boolean {
  const before = view.getUint16(at + 8);
  if (before < 0x0200) return false;
  const after = before - 0x0100;
  view.setUint16(at + 8, after);
  // Updated, not computed anew: a header that came damaged stays recognisable as such.
  view.setUint16(at + 10, updateChecksum(view.getUint16(at + 10), before, after));
  return true;
}

function takeIpv6({ arena: { view }, at }: InnerPacket): boolean {
  const hops = view.getUint8(at + 7);
  if (hops < 2) return false;
  view.setUint8(at + 7, hops - 1);
  return true;
}
