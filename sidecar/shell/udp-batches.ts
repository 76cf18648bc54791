/**
 * Many datagrams in one system call (recvmmsg, sendmmsg), by koffi. What dgram spends on each datagram, and on waking whoever it is for, is more than many
 * a message costs in the core.
 */
import type { Bytes } from '../ike/wire/bytes.ts';
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
  /** Hands over what has arrived, LARGEST_BATCH at most; the bytes are the receiver's to keep. Answers how many it was. */
  receive(fd: number, take: (bytes: Bytes, source: Source) => void): number;
  /** In order. `failed` gets the errno name of each that does not leave. */
  send(fd: number, datagrams: readonly Datagram[], failed: (code: string, datagram: Datagram) => void): void;
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
  const close = libc.func('int close(int fd)');
  const recvmmsg = libc.func('int recvmmsg(int fd, void *headers, unsigned int count, int flags, void *timeout)');
  const sendmmsg = libc.func('int sendmmsg(int fd, void *headers, unsigned int count, int flags)');
  // EWOULDBLOCK is EAGAIN by another name.
  const codes = Object.entries(koffi.os.errno).filter(([name]) => name !== 'EWOULDBLOCK');
  const names = new Map(codes.map(([name, value]) => [value, name]));
  const errno = (): string => names.get(koffi.errno()) ?? `errno ${koffi.errno()}`;
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
  return {
    open(address, port) {
      const name = encodeSocketAddress(address, port);
      const ipv6 = name[0] === AF_INET6;
      const fd = check(socket(ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM_NONBLOCK_CLOEXEC, 0));
      if (ipv6) check(setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, Int32Array.of(1), 4), fd);
      check(bind(fd, name, name.length), fd);
      return fd;
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
