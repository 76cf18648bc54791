/** Takes apart what the kernel leaves together for a TUN device with IFF_VNET_HDR, and completes the checksums that it leaves to the device. */
import type { LeavingPlaces } from './inner-link.ts';
import type { NativeArena } from './native.ts';
import {
  checksumOffsetOf,
  checksumStartOf,
  flagsOf,
  kindOf,
  NEEDS_CHECKSUM,
  Segments,
  segmentOf,
  TCP,
  Tcp,
  TcpFlag,
} from './virtio-header.ts';
import { foldSum, pseudoSum, wordSum } from './word-checksum.ts';

/** Hands over each packet of the `length` bytes at `at`, of which `header` tells, where it may leave from. What contradicts itself is dropped. */
export function takeApart(
  arena: NativeArena,
  header: number,
  at: number,
  length: number,
  places: LeavingPlaces,
  take: (at: number, length: number) => void,
): void {
  const kind = kindOf(arena, header);
  if (kind === Segments.NONE) takeWhole(arena, header, at, length, places, take);
  else if (kind === Segments.TCP_IPV4 || kind === Segments.TCP_IPV6) takeSegments(arena, header, at, length, places, take);
}

function takeWhole(
  arena: NativeArena,
  header: number,
  at: number,
  length: number,
  places: LeavingPlaces,
  take: (at: number, length: number) => void,
): void {
  const to = places.next();
  arena.bytes.copyWithin(to, at, at + length);
  if ((flagsOf(arena, header) & NEEDS_CHECKSUM) !== 0) {
    const start = checksumStartOf(arena, header);
    const field = start + checksumOffsetOf(arena, header);
    if (field + 2 > length) return;
    // The field holds the sum of the pseudo-header by now. 0 would mean to UDP that there is none (RFC 768).
    const checksum = ~wordSum(arena, to + start, length - start) & 0xffff;
    arena.view.setUint16(to + field, checksum === 0 ? 0xffff : checksum);
  }
  take(to, length);
}

function takeSegments(
  arena: NativeArena,
  header: number,
  at: number,
  length: number,
  places: LeavingPlaces,
  take: (at: number, length: number) => void,
): void {
  const { bytes, view } = arena;
  const tcp = checksumStartOf(arena, header);
  const segment = segmentOf(arena, header);
  if (tcp + Tcp.OPTIONS > length || segment === 0) return;
  const headers = tcp + (view.getUint8(at + tcp + Tcp.LENGTH) >>> 4) * 4;
  if (headers > length) return;
  const payload = length - headers;
  for (let from = 0, index = 0; from < payload; from += segment, index++) {
    const part = Math.min(segment, payload - from);
    const to = places.next();
    bytes.copyWithin(to, at, at + headers);
    bytes.copyWithin(to + headers, at + headers + from, at + headers + from + part);
    setIpLength(arena, to, headers + part, index);
    setTcp(arena, to, tcp, { from, whole: headers + part, first: from === 0, last: from + part === payload });
    take(to, headers + part);
  }
}

/** Identifications of IPv4 count on (RFC 6864 §4.2). */
export function setIpLength(arena: NativeArena, at: number, length: number, index: number): void {
  const { view } = arena;
  if (view.getUint8(at) >>> 4 === 6) {
    view.setUint16(at + 4, length - 40);
    return;
  }
  view.setUint16(at + 2, length);
  view.setUint16(at + 4, view.getUint16(at + 4) + index);
  view.setUint16(at + 10, 0);
  view.setUint16(at + 10, ~wordSum(arena, at, (view.getUint8(at) & 0x0f) * 4) & 0xffff);
}

function setTcp(
  arena: NativeArena,
  at: number,
  tcp: number,
  {
    from,
    whole,
    first,
    last,
  }: { readonly from: number; readonly whole: number; readonly first: boolean; readonly last: boolean },
): void {
  const { view } = arena;
  const start = at + tcp;
  view.setUint32(start + Tcp.SEQUENCE, view.getUint32(start + Tcp.SEQUENCE) + from);
  let flags = view.getUint8(start + Tcp.FLAGS);
  if (!last) flags &= ~(TcpFlag.FIN | TcpFlag.PSH);
  if (!first) flags &= ~TcpFlag.CWR;
  view.setUint8(start + Tcp.FLAGS, flags);
  view.setUint16(start + Tcp.CHECKSUM, 0);
  const length = whole - tcp;
  const sum = foldSum(pseudoSum(arena, at, TCP, length) + wordSum(arena, start, length));
  view.setUint16(start + Tcp.CHECKSUM, ~sum & 0xffff);
}
