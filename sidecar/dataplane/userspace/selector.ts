/** Which packets a child SA may carry, both ways (RFC 4301 §4.4.1.1 and §5.2). */
import type { ChildSa, Selector } from '../../contract/dataplane.ts';
import type { Bytes } from '../../ike/wire/bytes.ts';
import type { InnerPacket } from './inner-packet.ts';

/** From us to the peer. */
export function carriesOutbound(child: ChildSa, packet: InnerPacket): boolean {
  return (
    covers(child.local, packet.protocol, packet.source, packet.sourcePort) &&
    covers(child.remote, packet.protocol, packet.destination, packet.destinationPort)
  );
}

/** From the peer to us. */
export function carriesInbound(child: ChildSa, packet: InnerPacket): boolean {
  return (
    covers(child.remote, packet.protocol, packet.source, packet.sourcePort) &&
    covers(child.local, packet.protocol, packet.destination, packet.destinationPort)
  );
}

function covers(selectors: readonly Selector[], protocol: number, address: Bytes, port: number | undefined): boolean {
  for (const selector of selectors) {
    if (
      (selector.protocol === 0 || selector.protocol === protocol) &&
      coversPort(selector, port) &&
      selector.start.length === address.length &&
      compare(selector.start, address) <= 0 &&
      compare(address, selector.end) <= 0
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
export function compare(left: Bytes, right: Bytes): number {
  for (let at = 0; at < left.length; at++) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
