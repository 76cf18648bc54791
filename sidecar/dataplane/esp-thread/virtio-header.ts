/** What stands before a packet of a TUN device with IFF_VNET_HDR (struct virtio_net_hdr): that a checksum is missing, and that it is several segments of TCP as one. */
import type { Native, NativeArena } from './native.ts';

export const VIRTIO_HEADER = 10;
export const NEEDS_CHECKSUM = 1;
export const Segments = { NONE: 0, TCP_IPV4: 1, TCP_IPV6: 4 } as const;
/** Beside the kind: some of them carry congestion marks. */
const WITH_ECN = 0x80;

const TUNGETIFF = 0x8004_54d2;
const TUNSETVNETHDRSZ = 0x4004_54d8;
const TUNSETOFFLOAD = 0x4004_54d0;
const IFF_VNET_HDR = 0x4000;
const IFREQ_FLAGS_AT = 16;
/** TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6, TUN_F_TSO_ECN */
const TAKEN = 1 | 2 | 4 | 8;

/** Whether the device has these headers; if so, the kernel may leave segments together from now on. `scratch`: 64 bytes of the arena. */
export function startOffload(native: Native, { base, bytes, view }: NativeArena, fd: number, scratch: number): boolean {
  const ioctl = native.func('int ioctl(int fd, unsigned long request, uintptr_t value)');
  bytes.fill(0, scratch, scratch + 64);
  if (ioctl(fd, TUNGETIFF, base + scratch) < 0) return false;
  if ((view.getUint16(scratch + IFREQ_FLAGS_AT, true) & IFF_VNET_HDR) === 0) return false;
  view.setInt32(scratch, VIRTIO_HEADER, true);
  if (ioctl(fd, TUNSETVNETHDRSZ, base + scratch) < 0) throw new Error(`TUNSETVNETHDRSZ failed with ${native.errno()}`);
  // Without it packets come one by one, each after its header.
  ioctl(fd, TUNSETOFFLOAD, TAKEN);
  return true;
}

export const flagsOf = ({ view }: NativeArena, header: number): number => view.getUint8(header);
export const kindOf = ({ view }: NativeArena, header: number): number => view.getUint8(header + 1) & ~WITH_ECN;
export const segmentOf = ({ view }: NativeArena, header: number): number => view.getUint16(header + 4, true);
/** Where the checksum begins to cover, and where it stands from there. */
export const checksumStartOf = ({ view }: NativeArena, header: number): number => view.getUint16(header + 6, true);
export const checksumOffsetOf = ({ view }: NativeArena, header: number): number => view.getUint16(header + 8, true);

/** Of a packet that is what it is. */
export function writePlain({ bytes }: NativeArena, header: number): void {
  bytes.fill(0, header, header + VIRTIO_HEADER);
}

/** Of several segments of TCP: `headers` bytes before their payload, of which TCP begins at `tcp`. */
export function writeSegments(
  { view }: NativeArena,
  header: number,
  {
    kind,
    headers,
    segment,
    tcp,
  }: { readonly kind: number; readonly headers: number; readonly segment: number; readonly tcp: number },
): void {
  view.setUint8(header, NEEDS_CHECKSUM);
  view.setUint8(header + 1, kind);
  view.setUint16(header + 2, headers, true);
  view.setUint16(header + 4, segment, true);
  view.setUint16(header + 6, tcp, true);
  view.setUint16(header + 8, Tcp.CHECKSUM, true);
}

/** Offsets in a TCP header (RFC 9293 §3.1). */
export const Tcp = { PORTS: 0, SEQUENCE: 4, ACKNOWLEDGMENT: 8, LENGTH: 12, FLAGS: 13, CHECKSUM: 16, OPTIONS: 20 } as const;
export const TcpFlag = { FIN: 0x01, PSH: 0x08, ACK: 0x10, CWR: 0x80 } as const;
export const TCP = 6;
