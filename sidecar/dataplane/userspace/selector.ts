/** Which packets a child SA may carry, both ways (RFC 4301 §4.4.1.1 and §5.2). */
import type { ChildSa, Selector } from '../../contract/dataplane.ts';
import type { Bytes } from '../../ike/wire/bytes.ts';
import type { InnerPacket } from './inner-packet.ts';

/** From us to the peer. */
export const carriesOutbound = (child: ChildSa, packet: InnerPacket): boolean =>
  covers(child.local, packet, packet.sourceAt, packet.sourcePort) &&
  covers(child.remote, packet, packet.destinationAt, packet.destinationPort);

/** From the peer to us. */
export const carriesInbound = (child: ChildSa, packet: InnerPacket): boolean =>
  covers(child.remote, packet, packet.sourceAt, packet.sourcePort) &&
  covers(child.local, packet, packet.destinationAt, packet.destinationPort);

/** `at`: of the address of the packet. */
function covers(selectors: readonly Selector[], packet: InnerPacket, at: number, port: number | undefined): boolean {
  const { bytes } = packet.arena;
  for (const selector of selectors) {
    if (
      (selector.protocol === 0 || selector.protocol === packet.protocol) &&
      coversPort(selector, port) &&
      selector.start.length === packet.addressLength &&
      compareAt(selector.start, bytes, at) <= 0 &&
      compareAt(selector.end, bytes, at) >= 0
    ) {
      return true;
    }
  }
  return false;
}

function coversPort({ startPort, endPort }: Selector, port: number | undefined): boolean {
  if (startPort === 0 && endPort === 0xffff) return true;
  // RFC 7296 §3.13.1: start 65535 and end 0 stand for OPAQUE, packets that show no port.
  if (port === undefined) return startPort === 0xffff && endPort === 0;
  return startPort <= port && port <= endPort;
}

/** Of two addresses of one length: below, at or above 0 as the first is lower, equal or higher. */
export const compare = (left: Bytes, right: Bytes): number => compareAt(left, right, 0);

/** The same, where the second begins at `at`. */
export function compareAt(left: Bytes, right: Bytes, at: number): number {
  for (let byte = 0; byte < left.length; byte++) {
    const difference = (left[byte] ?? 0) - (right[at + byte] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
