/** Puts together consecutive segments of a TCP stream, so that the kernel takes them in one system call and through its stack as one (as its own GRO does). */
import { LONGEST } from './layout.ts';
import type { NativeArena } from './native.ts';
import { setIpLength } from './segments-apart.ts';
import { Segments, TCP, Tcp, TcpFlag, VIRTIO_HEADER, writePlain, writeSegments } from './virtio-header.ts';
import { foldSum, pseudoSum, wordSum } from './word-checksum.ts';

/** Streams that are put together at one time. */
export const FLOWS = 8;
/** Of one packet, headers included: a length of IP has 16 bits. */
const MOST = LONGEST - 1;
const IPV4_HEADER = 20;
const IPV6_HEADER = 40;

/** `header`: of a struct virtio_net_hdr and the packet behind it, `length` bytes in all. */
export type WritePacket = (header: number, length: number) => void;

export class SegmentsTogether {
  readonly #arena: NativeArena;
  readonly #write: WritePacket;
  readonly #flows: readonly Flow[];
  #nextVictim = 0;

  /** `places`: where packets of FLOWS streams may grow. */
  constructor(arena: NativeArena, places: readonly number[], write: WritePacket) {
    this.#arena = arena;
    this.#write = write;
    this.#flows = places.map((at) => new Flow(arena, at));
  }

  /** Keeps or writes a packet; packets of one stream stay in order. There is room for a header before it. */
  put(at: number, length: number): void {
    const headers = this.#headersOf(at, length);
    if (headers === 0) {
      this.#writePlain(at, length);
      return;
    }
    const flow = this.#find(at);
    if (flow?.takes(at, length, headers)) {
      flow.append(at, length, headers);
      if (flow.complete) this.#close(flow);
      return;
    }
    if (flow) this.#close(flow);
    if (!mayBegin(this.#arena, at, length, headers)) this.#writePlain(at, length);
    else this.#free(flow).begin(at, length, headers);
  }

  flush(): void {
    for (const flow of this.#flows) if (flow.open) this.#close(flow);
  }

  /** Of a whole TCP packet the bytes before its payload; 0 for anything else. */
  #headersOf(at: number, length: number): number {
    const { view } = this.#arena;
    const first = view.getUint8(at);
    let tcp = 0;
    // Neither options of IPv4, nor fragments, nor extension headers of IPv6.
    if (first === 0x45 && view.getUint8(at + 9) === TCP && (view.getUint16(at + 6) & 0x3fff) === 0) tcp = IPV4_HEADER;
    else if (first >>> 4 === 6 && length > IPV6_HEADER && view.getUint8(at + 6) === TCP) tcp = IPV6_HEADER;
    if (tcp === 0 || length < tcp + Tcp.OPTIONS) return 0;
    const headers = tcp + (view.getUint8(at + tcp + Tcp.LENGTH) >>> 4) * 4;
    return headers >= tcp + Tcp.OPTIONS && headers <= length ? headers : 0;
  }

  #find(at: number): Flow | undefined {
    for (const flow of this.#flows) if (flow.open && flow.isOf(at)) return flow;
    return undefined;
  }

  #free(closed: Flow | undefined): Flow {
    if (closed) return closed;
    for (const flow of this.#flows) if (!flow.open) return flow;
    this.#nextVictim = (this.#nextVictim + 1) % this.#flows.length;
    const victim = this.#flows[this.#nextVictim];
    if (!victim) throw new Error('no places for streams');
    this.#close(victim);
    return victim;
  }

  #close(flow: Flow): void {
    const length = flow.close();
    this.#write(flow.at - VIRTIO_HEADER, VIRTIO_HEADER + length);
  }

  #writePlain(at: number, length: number): void {
    writePlain(this.#arena, at - VIRTIO_HEADER);
    this.#write(at - VIRTIO_HEADER, VIRTIO_HEADER + length);
  }
}

const tcpOf = ({ view }: NativeArena, at: number): number => at + (view.getUint8(at) >>> 4 === 4 ? IPV4_HEADER : IPV6_HEADER);

/** Whether others may follow it: data, no flag that means something of its own, a checksum that is right, for nobody will check it again. */
function mayBegin(arena: NativeArena, at: number, length: number, headers: number): boolean {
  const flags = arena.view.getUint8(tcpOf(arena, at) + Tcp.FLAGS);
  return length > headers && flags === TcpFlag.ACK && hasRightChecksum(arena, at, length);
}

function hasRightChecksum(arena: NativeArena, at: number, length: number): boolean {
  const start = tcpOf(arena, at);
  const covered = at + length - start;
  return foldSum(pseudoSum(arena, at, TCP, covered) + wordSum(arena, start, covered)) === 0xffff;
}

/** A stream of which some segments are together. */
class Flow {
  readonly at: number;
  readonly #arena: NativeArena;
  open = false;
  /** Nothing may follow. */
  complete = false;
  #length = 0;
  #headers = 0;
  #segment = 0;
  #segments = 0;
  #nextSequence = 0;

  constructor(arena: NativeArena, at: number) {
    this.#arena = arena;
    this.at = at;
  }

  begin(at: number, length: number, headers: number): void {
    const { bytes, view } = this.#arena;
    bytes.copyWithin(this.at, at, at + length);
    this.open = true;
    this.complete = false;
    this.#length = length;
    this.#headers = headers;
    this.#segment = length - headers;
    this.#segments = 1;
    this.#nextSequence = (view.getUint32(tcpOf(this.#arena, at) + Tcp.SEQUENCE) + this.#segment) >>> 0;
  }

  /** Version, addresses and ports. */
  isOf(at: number): boolean {
    const { view } = this.#arena;
    if ((view.getUint8(at) ^ view.getUint8(this.at)) >>> 4 !== 0) return false;
    if (view.getUint32(tcpOf(this.#arena, at)) !== view.getUint32(tcpOf(this.#arena, this.at))) return false;
    const ipv4 = view.getUint8(at) >>> 4 === 4;
    return this.#equal(at, ipv4 ? 12 : 8, ipv4 ? 20 : 40);
  }

  /** Whether the packet continues it, and nothing but length, sequence number and payload is different. */
  takes(at: number, length: number, headers: number): boolean {
    const { view } = this.#arena;
    const part = length - headers;
    if (part <= 0 || part > this.#segment || headers !== this.#headers || this.#length + part > MOST) return false;
    const tcp = tcpOf(this.#arena, at) - at;
    const flags = view.getUint8(at + tcp + Tcp.FLAGS);
    return (
      view.getUint32(at + tcp + Tcp.SEQUENCE) === this.#nextSequence &&
      (flags & ~TcpFlag.PSH) === TcpFlag.ACK &&
      this.#sameIp(at) &&
      this.#equal(at, tcp + Tcp.ACKNOWLEDGMENT, tcp + Tcp.LENGTH) &&
      this.#equal(at, tcp + Tcp.OPTIONS, headers) &&
      hasRightChecksum(this.#arena, at, length)
    );
  }

  append(at: number, length: number, headers: number): void {
    const { bytes, view } = this.#arena;
    const part = length - headers;
    bytes.copyWithin(this.at + this.#length, at + headers, at + length);
    this.#length += part;
    this.#segments++;
    this.#nextSequence = (this.#nextSequence + part) >>> 0;
    const flagsAt = tcpOf(this.#arena, at) - at + Tcp.FLAGS;
    const push = view.getUint8(at + flagsAt) & TcpFlag.PSH;
    view.setUint8(this.at + flagsAt, view.getUint8(this.at + flagsAt) | push);
    this.complete = part < this.#segment || push !== 0;
  }

  /** Answers the length of the whole. */
  close(): number {
    this.open = false;
    const header = this.at - VIRTIO_HEADER;
    if (this.#segments === 1) writePlain(this.#arena, header);
    else this.#finish(header);
    return this.#length;
  }

  #finish(header: number): void {
    const { view } = this.#arena;
    const tcp = tcpOf(this.#arena, this.at) - this.at;
    const kind = tcp === IPV4_HEADER ? Segments.TCP_IPV4 : Segments.TCP_IPV6;
    writeSegments(this.#arena, header, { kind, headers: this.#headers, segment: this.#segment, tcp });
    setIpLength(this.#arena, this.at, this.#length, 0);
    view.setUint16(this.at + tcp + Tcp.CHECKSUM, pseudoSum(this.#arena, this.at, TCP, this.#length - tcp));
  }

  /** Class, fragmentation and hops of IPv4; class, flow and hops of IPv6. */
  #sameIp(at: number): boolean {
    const { view } = this.#arena;
    if (view.getUint8(at) >>> 4 === 6)
      return view.getUint32(at) === view.getUint32(this.at) && view.getUint8(at + 7) === view.getUint8(this.at + 7);
    return (
      view.getUint16(at) === view.getUint16(this.at) &&
      view.getUint16(at + 6) === view.getUint16(this.at + 6) &&
      view.getUint8(at + 8) === view.getUint8(this.at + 8)
    );
  }

  /** The bytes `from` to `to` of both; both even. */
  #equal(at: number, from: number, to: number): boolean {
    const { view } = this.#arena;
    for (let offset = from; offset < to; offset += 2)
      if (view.getUint16(at + offset) !== view.getUint16(this.at + offset)) return false;
    return true;
  }
}
