/** ICMP echo (RFC 792, RFC 4443 §4): the answer of an inner address of ours, and the ping of a client that has no TUN device. */
import type { Bytes } from '../../ike/wire/bytes.ts';
import { internetChecksum, pseudoHeaderSum } from './checksum.ts';
import { type InnerPacket, IpProtocol, parseInnerPacket } from './inner-packet.ts';

/** `source` and `destination` are both 4 or both 16 bytes; `id` and `sequence` 16 bits. */
export interface Echo {
  readonly source: Bytes;
  readonly destination: Bytes;
  readonly id: number;
  readonly sequence: number;
  readonly payload: Bytes;
}

const ECHO_HEADER = 8;
const HOPS = 64;
const DONT_FRAGMENT = 0x4000;
const request = { 4: 8, 6: 128 } as const;
const reply = { 4: 0, 6: 129 } as const;

/** The inner packet that asks. */
export function echoRequest(echo: Echo): Bytes {
  return encode(echo, request);
}

/** The answer to an inner packet, when it is an echo request with a correct checksum and no fragment. */
export function answerEcho(packet: InnerPacket): Bytes | undefined {
  const echo = decode(packet, request);
  return echo && encode({ ...echo, source: echo.destination, destination: echo.source }, reply);
}

/** Undefined for anything but an echo reply with a correct checksum. `source` is who answered. */
export function parseEchoReply(inner: Bytes): Echo | undefined {
  const packet = parseInnerPacket(inner);
  return packet && decode(packet, reply);
}

function decode(packet: InnerPacket, types: typeof request | typeof reply): Echo | undefined {
  const { bytes, source, destination, version, headerLength } = packet;
  const message = bytes.subarray(headerLength);
  if (packet.fragment || message.length < ECHO_HEADER || packet.protocol !== protocolOf(version)) return undefined;
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  if (view.getUint16(0) !== types[version] << 8 || internetChecksum(message, seedOf({ source, destination }, message)) !== 0)
    return undefined;
  return { source, destination, id: view.getUint16(4), sequence: view.getUint16(6), payload: message.subarray(ECHO_HEADER) };
}

function encode(echo: Echo, types: typeof request | typeof reply): Bytes {
  const version = echo.source.length === 4 ? 4 : 6;
  const headerLength = version === 4 ? 20 : 40;
  const bytes = new Uint8Array(headerLength + ECHO_HEADER + echo.payload.length);
  const message = bytes.subarray(headerLength);
  const view = new DataView(bytes.buffer, headerLength);
  view.setUint8(0, types[version]);
  view.setUint16(4, echo.id);
  view.setUint16(6, echo.sequence);
  message.set(echo.payload, ECHO_HEADER);
  view.setUint16(2, internetChecksum(message, seedOf(echo, message)));
  if (version === 4) writeIpv4Header(bytes, echo);
  else writeIpv6Header(bytes, echo);
  return bytes;
}

function writeIpv4Header(bytes: Bytes, { source, destination }: Echo): void {
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 0x45);
  view.setUint16(2, bytes.length);
  view.setUint16(6, DONT_FRAGMENT); // and therefore no identification (RFC 6864 §4.1)
  view.setUint8(8, HOPS);
  view.setUint8(9, IpProtocol.ICMP);
  bytes.set(source, 12);
  bytes.set(destination, 16);
  view.setUint16(10, internetChecksum(bytes.subarray(0, 20)));
}

function writeIpv6Header(bytes: Bytes, { source, destination }: Echo): void {
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 0x60);
  view.setUint16(4, bytes.length - 40);
  view.setUint8(6, IpProtocol.ICMPV6);
  view.setUint8(7, HOPS);
  bytes.set(source, 8);
  bytes.set(destination, 24);
}

const protocolOf = (version: 4 | 6): number => (version === 4 ? IpProtocol.ICMP : IpProtocol.ICMPV6);

/** ICMPv6 covers a pseudo-header (RFC 4443 §2.3), ICMP does not. */
function seedOf({ source, destination }: Pick<Echo, 'source' | 'destination'>, message: Bytes): number {
  return source.length === 4 ? 0 : pseudoHeaderSum(source, destination, IpProtocol.ICMPV6, message.length);
}
