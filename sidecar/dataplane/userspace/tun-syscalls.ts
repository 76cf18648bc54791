/** The system calls of Linux that a TUN device takes and Node does not offer, by koffi. */

import type { Bytes } from '../../ike/wire/bytes.ts';
import { errnoName } from '../../process/errno.ts';

/** Each of these answers the value of the system call; below 0, `errno` holds the reason. */
export interface TunSyscalls {
  /** Makes an open /dev/net/tun a TUN interface of this name, or a further queue of one (TUNSETIFF). All queues of one interface have the same `kind`. */
  attach(fd: number, name: string, kind?: TunKind): number;
  /** Leaves the interface to its other queues: nothing comes to this one any more, and it keeps the interface there (TUNSETQUEUE). */
  detachQueue(fd: number): number;
  /** Below 0: the interface of this descriptor is gone (TUNGETIFF). */
  present(fd: number): number;
  /** Bytes that stand before each packet (IFF_VNET_HDR), all zero for one that is what it is; the kernel leaves none together from now on (TUNSETOFFLOAD). */
  headerOf(fd: number): number;
  read(fd: number, into: Bytes): number;
  write(fd: number, bytes: Bytes): number;
  /** A descriptor that becomes readable by `wake`. */
  eventfd(): number;
  wake(eventfd: number): void;
  /** Calls back, from a thread of libuv's pool, when one of the two can be read, or after the time. Not twice at once. */
  whenReadable(fd: number, eventfd: number, timeoutMs: number, then: () => void): void;
  /** Name of the reason, for instance EPERM. */
  errno(): string;
}

/**
 * `multi-queue`: several descriptors, in several threads or processes, carry the packets of one interface (IFF_MULTI_QUEUE).
 * `offload`: that, and a header before each packet (IFF_VNET_HDR), so that whoever reads it may be given many segments as one; for the thread for ESP.
 */
export type TunKind = 'single-queue' | 'multi-queue' | 'offload';

const TUNSETIFF = 0x4004_54ca;
const TUNSETQUEUE = 0x4004_54d9;
const TUNGETIFF = 0x8004_54d2;
const TUNSETOFFLOAD = 0x4004_54d0;
const IFF_TUN = 0x0001;
const IFF_MULTI_QUEUE = 0x0100;
const IFF_DETACH_QUEUE = 0x0400;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
const KINDS = {
  'single-queue': IFF_TUN | IFF_NO_PI,
  'multi-queue': IFF_TUN | IFF_NO_PI | IFF_MULTI_QUEUE,
  offload: IFF_TUN | IFF_NO_PI | IFF_MULTI_QUEUE | IFF_VNET_HDR,
} as const;
/** struct virtio_net_hdr, the length that it has unless somebody asks for another. */
const VIRTIO_HEADER = 10;
const IFREQ_SIZE = 40;
const IFREQ_FLAGS_AT = 16;
const EFD_NONBLOCK = 0o4000;
const POLLIN = 1;

/** @throws Error when koffi has no binary for this machine. */
export async function loadTunSyscalls(): Promise<TunSyscalls> {
  const { default: koffi } = await import('koffi');
  const libc = koffi.load(null);
  const ioctl = libc.func('int ioctl(int fd, unsigned long request, ...)');
  const read = libc.func('intptr_t read(int fd, _Out_ void *into, size_t length)');
  const write = libc.func('intptr_t write(int fd, void *from, size_t length)');
  const eventfd = libc.func('int eventfd(unsigned int initial, int flags)');
  const poll = libc.func('int poll(void *fds, unsigned long count, int timeout)');
  const polled = new DataView(new ArrayBuffer(16));
  return {
    attach: (fd, name, kind = 'single-queue') => ioctl(fd, TUNSETIFF, 'void *', interfaceRequest(name, KINDS[kind])),
    detachQueue: (fd) => ioctl(fd, TUNSETQUEUE, 'void *', interfaceRequest('', IFF_DETACH_QUEUE)),
    present: (fd) => ioctl(fd, TUNGETIFF, 'void *', interfaceRequest('', 0)),
    headerOf(fd) {
      const request = interfaceRequest('', 0);
      if (ioctl(fd, TUNGETIFF, 'void *', request) < 0) return 0;
      const flags = new DataView(request.buffer).getUint16(IFREQ_FLAGS_AT, true);
      if ((flags & IFF_VNET_HDR) === 0) return 0;
      ioctl(fd, TUNSETOFFLOAD, 'unsigned long', 0);
      return VIRTIO_HEADER;
    },
    read: (fd, into) => read(fd, into, into.length),
    write: (fd, bytes) => write(fd, bytes, bytes.length),
    eventfd: () => eventfd(0, EFD_NONBLOCK),
    wake: (fd) => write(fd, new Uint8Array(new BigUint64Array([1n]).buffer), 8),
    whenReadable: (fd, wakeup, timeoutMs, then) => {
      pollFor(polled, 0, fd);
      pollFor(polled, 8, wakeup);
      poll.async(polled, 2, timeoutMs, then);
    },
    errno: () => errnoName(koffi.errno()),
  };
}

/** struct ifreq. No packet information comes before a packet. */
function interfaceRequest(name: string, flags: number): Bytes {
  const request = new Uint8Array(IFREQ_SIZE);
  new TextEncoder().encodeInto(name, request.subarray(0, IFREQ_FLAGS_AT - 1));
  new Uint16Array(request.buffer, IFREQ_FLAGS_AT, 1)[0] = flags;
  return request;
}

/** struct pollfd, in the machine's own byte order. */
function pollFor(polled: DataView, at: number, fd: number): void {
  new Int32Array(polled.buffer, at, 1)[0] = fd;
  new Int16Array(polled.buffer, at + 4, 2).set([POLLIN, 0]);
}
