/** A TUN interface whose other side the test is: what the kernel sends by it, and what comes in by it, packet by packet. */
import { setTimeout as wait } from 'node:timers/promises';
import { internetChecksum, pseudoHeaderSum } from '../../sidecar/dataplane/userspace/checksum.ts';
import { type InnerPacket, parseInnerPacket } from '../../sidecar/dataplane/userspace/inner-packet.ts';
import { openTun, Tun } from '../../sidecar/dataplane/userspace/tun.ts';
import { loadTunSyscalls } from '../../sidecar/dataplane/userspace/tun-syscalls.ts';
import { formatAddress } from '../../sidecar/ike/ip-address.ts';
import type { Bytes } from '../../sidecar/ike/wire/bytes.ts';
import { address } from '../sidecar/dataplane/children.ts';

export interface Seen {
  readonly packet: InnerPacket;
  /** `192.0.2.1 → 198.51.100.5`. */
  readonly way: string;
}

export class Line {
  readonly seen: Seen[] = [];
  #tun: Tun | undefined;

  /** An interface of its own. */
  static async create(name: string, addresses: readonly string[], mtu = 1500): Promise<Line> {
    const line = new Line();
    line.#tun = await openTun({ name, addresses, routes: [], mtu, receive: (bytes) => line.#receive(bytes), failed: () => {} });
    return line;
  }

  /** A queue of an interface that somebody else made. */
  static async adopt(name: string, descriptor: number): Promise<Line> {
    const line = new Line();
    const options = { name, addresses: [], routes: [], receive: (bytes: Bytes) => line.#receive(bytes), failed: () => {} };
    line.#tun = new Tun(descriptor, await loadTunSyscalls(), options);
    return line;
  }

  /** Comes in by the interface. */
  inject(packet: Bytes): void {
    if (!this.#tun?.write(packet)) throw new Error('the kernel did not take a packet');
  }

  /** The packet that goes this way next, or has gone. @throws Error when none does within 2 s. */
  async next(way: string): Promise<InnerPacket> {
    for (let tries = 0; tries < 200; tries++) {
      const at = this.seen.findIndex((one) => one.way === way);
      const [found] = at < 0 ? [] : this.seen.splice(at, 1);
      if (found) return found.packet;
      await wait(10);
    }
    throw new Error(`no packet ${way}; there were ${this.seen.map((one) => one.way).join(', ') || 'none'}`);
  }

  async close(): Promise<void> {
    await this.#tun?.close();
  }

  #receive(bytes: Bytes): void {
    const packet = parseInnerPacket(bytes);
    if (packet) this.seen.push({ packet, way: `${formatAddress(packet.source)} → ${formatAddress(packet.destination)}` });
  }
}

const TCP = 6;
const UDP = 17;
const SYN = 0x02;
const ACK = 0x10;

/** A segment that opens or accepts a connection, and offers this segment size. */
export function syn(source: string, destination: string, size: number, { accepts = false, ports = [40_000, 443] } = {}): Bytes {
  const segment = new Uint8Array(24);
  const view = new DataView(segment.buffer);
  for (const [at, port] of ports.entries()) view.setUint16(2 * at, port);
  view.setUint32(4, 1000);
  view.setUint32(8, accepts ? 1001 : 0);
  view.setUint16(12, (6 << 12) | SYN | (accepts ? ACK : 0));
  view.setUint16(14, 64_000);
  view.setUint32(20, (2 << 24) | (4 << 16) | size);
  return withHeader(source, destination, TCP, segment, 16);
}

export function datagram(source: string, destination: string, port: number, payload: Bytes, from = 40_000): Bytes {
  const bytes = new Uint8Array(8 + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, from);
  view.setUint16(2, port);
  view.setUint16(4, bytes.length);
  bytes.set(payload, 8);
  return withHeader(source, destination, UDP, bytes, 6);
}

/** What a SYN offers (RFC 9293 §3.2). */
export const segmentSize = ({ bytes, headerLength }: InnerPacket): number =>
  new DataView(bytes.buffer, bytes.byteOffset).getUint16(headerLength + 22);

function withHeader(source: string, destination: string, protocol: number, payload: Bytes, checksumAt: number): Bytes {
  const [from, to] = [address(source), address(destination)];
  const view = new DataView(payload.buffer);
  view.setUint16(checksumAt, internetChecksum(payload, pseudoHeaderSum(from, to, protocol, payload.length)));
  const header = from.length === 4 ? ipv4Header(protocol, payload.length) : ipv6Header(protocol, payload.length);
  header.set(from, from.length === 4 ? 12 : 8);
  header.set(to, from.length === 4 ? 16 : 24);
  if (from.length === 4) new DataView(header.buffer).setUint16(10, internetChecksum(header));
  return Uint8Array.from([...header, ...payload]);
}

function ipv4Header(protocol: number, length: number): Bytes {
  const header = new Uint8Array(20);
  header.set([0x45, 0, (20 + length) >> 8, (20 + length) & 0xff, 0, 0, 0x40, 0, 64, protocol]);
  return header;
}

function ipv6Header(protocol: number, length: number): Bytes {
  const header = new Uint8Array(40);
  header.set([0x60, 0, 0, 0, length >> 8, length & 0xff, protocol, 64]);
  return header;
}
