/**
 * Many datagrams in one system call (recvmmsg, sendmmsg), by koffi. What dgram spends on each datagram, and on waking whoever it is for, is more than many
 * a message costs in the core.
 */

import type { Bytes } from '../ike/wire/bytes.ts';
import { errnoName } from '../process/errno.ts';
import {
  AF_INET,
  AF_INET6,
  decodeSocketAddress,
  encodeSocketAddress,
  SOCKET_ADDRESS_BYTES,
  type Source,
} from './socket-address.ts';

export interface UdpBatches {
  /** A bound socket that does not block. @throws Error whose `code` is the errno name. */
  open(address: string, port: number): number;
  /**
   * Two bound sockets that share address and port, and do not block: the kernel hands ESP (RFC 3948 §2.2: not four zero bytes) to the second and all else
   * to the first. `bufferBytes`: of the second, each way. Undefined where it cannot. @throws Error whose `code` is the errno name.
   */
  openPair(address: string, port: number, bufferBytes: number): SocketPair | undefined;
  /** Hands over what has arrived, LARGEST_BATCH at most; the bytes are the receiver's to keep. Answers how many it was. */
  receive(fd: number, take: (bytes: Bytes, source: Source) => void): number;
  /** In order. `failed` gets the errno name of each that does not leave. */
  send(fd: number, datagrams: readonly Datagram[], failed: (code: string, datagram: Datagram) => void): void;
}

export interface SocketPair {
  readonly fd: number;
  readonly esp: number;
}

export interface Datagram {
  readonly bytes: Bytes;
  /** A socket address. */
  readonly to: Bytes;
}

export const LARGEST_BATCH = 64;
const SLOT = 65_536;
/** struct mmsghdr: a msghdr of 56 bytes, then the length. */
const HEADER = 64;
const LENGTH_AT = 56;
const IOVEC = 16;
const SOCK_DGRAM_NONBLOCK_CLOEXEC = 2 | 0o4000 | 0o2000000;
const SOL_IPV6 = 41;
const IPV6_V6ONLY = 26;
const MSG_DONTWAIT = 0x40;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_REUSEPORT = 15;
const SO_ATTACH_REUSEPORT_CBPF = 51;
/**
 * Classic BPF, which sees the datagram from behind its UDP header: 0 for the first socket of the group, 1 for the second. A load from beyond the end, as of
 * a keepalive (RFC 3948 §2.3), answers 0.
 *
 *     ld [0]; jeq #0, +0, +1; ret #0; ret #1
 */
const DEMULTIPLEXER = [
  [0x20, 0, 0, 0],
  [0x15, 0, 1, 0],
  [0x06, 0, 0, 0],
  [0x06, 0, 0, 1],
] as const;

/** Undefined where koffi has no binary, or the machine lays structures out differently; dgram alone serves there. */
export async function loadUdpBatches(): Promise<UdpBatches | undefined> {
  if (process.platform !== 'linux' || (process.arch !== 'x64' && process.arch !== 'arm64')) return undefined;
  const koffi = await import('koffi').then(
    (module) => module.default,
    () => undefined,
  );
  if (!koffi) return undefined;
  const libc = koffi.load(null);
  const socket = libc.func('int socket(int family, int type, int protocol)');
  const setsockopt = libc.func('int setsockopt(int fd, int level, int name, void *value, unsigned int length)');
  const bind = libc.func('int bind(int fd, void *address, unsigned int length)');
  const getsockname = libc.func('int getsockname(int fd, void *address, void *length)');
  const close = libc.func('int close(int fd)');
  const recvmmsg = libc.func('int recvmmsg(int fd, void *headers, unsigned int count, int flags, void *timeout)');
  const sendmmsg = libc.func('int sendmmsg(int fd, void *headers, unsigned int count, int flags)');
  const errno = (): string => errnoName(koffi.errno());
  const memory = (bytes: number): Native => {
    const pointer = koffi.alloc('uint8_t', bytes);
    return { base: BigInt(koffi.address(pointer)), buffer: koffi.view(pointer, bytes) };
  };
  const [incoming, outgoing] = [new Arena(memory), new Arena(memory)];
  const check = (result: number, fd?: number): number => {
    if (result >= 0) return result;
    const code = errno();
    if (fd !== undefined) close(fd);
    throw Object.assign(new Error(`${code} of a UDP socket`), { code });
  };
  const open = (address: string, port: number, prepare: (fd: number) => void = () => {}): number => {
    const name = encodeSocketAddress(address, port);
    const ipv6 = name[0] === AF_INET6;
    const fd = check(socket(ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM_NONBLOCK_CLOEXEC, 0));
    if (ipv6) check(setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, Int32Array.of(1), 4), fd);
    prepare(fd);
    check(bind(fd, name, name.length), fd);
    return fd;
  };
  /** The system chose it when 0 was asked for. */
  const portOf = (fd: number): number => {
    const name = new Uint8Array(SOCKET_ADDRESS_BYTES);
    check(getsockname(fd, name, Int32Array.of(name.length)));
    return new DataView(name.buffer).getUint16(2);
  };
  const share = (fd: number): number => setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, Int32Array.of(1), 4);
  const demultiplexer = memory(DEMULTIPLEXER.length * 8 + 16);
  new Uint8Array(demultiplexer.buffer).set(filterProgram(demultiplexer.base));
  const program = new Uint8Array(demultiplexer.buffer, DEMULTIPLEXER.length * 8, 16);
  return {
    open,
    openPair(address, port, bufferBytes) {
      let able = true;
      // Before it is bound: a socket that has a program of its own joins no others, so two gateways never share a port by mistake.
      const fd = open(address, port, (first) => {
        able = share(first) === 0 && setsockopt(first, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, program, program.length) === 0;
      });
      if (able) {
        try {
          const esp = open(address, portOf(fd), (second) => void check(share(second), second));
          for (const name of [SO_RCVBUF, SO_SNDBUF]) setsockopt(esp, SOL_SOCKET, name, Int32Array.of(bufferBytes), 4);
          return { fd, esp };
        } catch {
          // Whoever cannot have two has one.
        }
      }
      close(fd);
      return undefined;
    },
    receive(fd, take) {
      incoming.makeRoom();
      const count = Math.max(0, recvmmsg(fd, incoming.headers, LARGEST_BATCH, MSG_DONTWAIT, null));
      for (let at = 0; at < count; at++) take(incoming.bytes(at), decodeSocketAddress(incoming.address(at)));
      return count;
    },
    send(fd, datagrams, failed) {
      for (let at = 0; at < datagrams.length; ) {
        const batch = datagrams.slice(at, at + LARGEST_BATCH);
        batch.forEach((datagram, slot) => void outgoing.put(slot, datagram));
        const sent = sendmmsg(fd, outgoing.headers, batch.length, MSG_DONTWAIT);
        // It stops at the first that fails, and tells why when that is the first of all.
        const [refused] = batch;
        if (sent < 0 && refused) failed(errno(), refused);
        at += Math.max(1, sent);
      }
    },
  };
}

/** struct sock_filter of each instruction, then struct sock_fprog, which points to them. */
function filterProgram(base: bigint): Bytes {
  const bytes = new Uint8Array(DEMULTIPLEXER.length * 8 + 16);
  const view = new DataView(bytes.buffer);
  for (const [index, [code, ifTrue, ifFalse, value]] of DEMULTIPLEXER.entries()) {
    view.setUint16(index * 8, code, true);
    bytes.set([ifTrue, ifFalse], index * 8 + 2);
    view.setUint32(index * 8 + 4, value, true);
  }
  view.setUint16(DEMULTIPLEXER.length * 8, DEMULTIPLEXER.length, true);
  view.setBigUint64(DEMULTIPLEXER.length * 8 + 8, base, true);
  return bytes;
}

interface Native {
  readonly base: bigint;
  readonly buffer: ArrayBuffer;
}

/** Memory that C reads and writes: headers, and for each a place for an address and a datagram. */
class Arena {
  readonly headers: Bytes;
  readonly #view: DataView;
  readonly #addresses: ArrayBuffer;
  readonly #data: Bytes;
  readonly #vectors: DataView;

  constructor(memory: (bytes: number) => Native) {
    const [headers, vectors, addresses, data] = [HEADER, IOVEC, SOCKET_ADDRESS_BYTES, SLOT].map((bytes) =>
      memory(LARGEST_BATCH * bytes),
    ) as [Native, Native, Native, Native];
    this.headers = new Uint8Array(headers.buffer);
    this.#view = new DataView(headers.buffer);
    this.#addresses = addresses.buffer;
    this.#data = new Uint8Array(data.buffer);
    this.#vectors = new DataView(vectors.buffer);
    for (let at = 0; at < LARGEST_BATCH; at++) {
      this.#view.setBigUint64(at * HEADER, addresses.base + BigInt(at * SOCKET_ADDRESS_BYTES), true);
      this.#view.setBigUint64(at * HEADER + 16, vectors.base + BigInt(at * IOVEC), true);
      this.#view.setBigUint64(at * HEADER + 24, 1n, true);
      this.#vectors.setBigUint64(at * IOVEC, data.base + BigInt(at * SLOT), true);
    }
  }

  /** As many bytes as fit may arrive. */
  makeRoom(): void {
    for (let at = 0; at < LARGEST_BATCH; at++) {
      this.#view.setUint32(at * HEADER + 8, SOCKET_ADDRESS_BYTES, true);
      this.#vectors.setBigUint64(at * IOVEC + 8, BigInt(SLOT), true);
    }
  }

  put(at: number, { bytes, to }: Datagram): void {
    new Uint8Array(this.#addresses, at * SOCKET_ADDRESS_BYTES, to.length).set(to);
    this.#view.setUint32(at * HEADER + 8, to.length, true);
    // One that is longer than any datagram is for the system to refuse: its length counts, its end does not.
    this.#data.set(bytes.length > SLOT ? bytes.subarray(0, SLOT) : bytes, at * SLOT);
    this.#vectors.setBigUint64(at * IOVEC + 8, BigInt(Math.min(bytes.length, SLOT)), true);
  }

  bytes(at: number): Bytes {
    return this.#data.slice(at * SLOT, at * SLOT + this.#view.getUint32(at * HEADER + LENGTH_AT, true));
  }

  address(at: number): DataView {
    return new DataView(this.#addresses, at * SOCKET_ADDRESS_BYTES, SOCKET_ADDRESS_BYTES);
  }
}
