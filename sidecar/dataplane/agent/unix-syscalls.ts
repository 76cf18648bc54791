/** What Unix sockets can do and Node does not offer, by koffi: who is at the other end (SO_PEERCRED), and descriptors that travel along (SCM_RIGHTS). */

import type { Bytes } from '../../ike/wire/bytes.ts';
import { errnoName } from '../../process/errno.ts';

/** As the kernel saw it when it connected; a process cannot lie about it. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

export interface Received {
  /** Empty: the other side has closed. */
  readonly bytes: Bytes;
  /** Closed on exec; the receiver's to close. */
  readonly descriptors: readonly number[];
}

/** Each throws an Error whose `code` is the errno name. */
export interface UnixSyscalls {
  peerOf(fd: number): PeerCredentials;
  /** All bytes at once or not at all. */
  send(fd: number, bytes: Bytes, descriptors: readonly number[]): void;
  /** A socket that does not block. */
  connect(path: string): number;
  /** What has arrived, at most MOST_RECEIVED bytes. @throws Error, with code EAGAIN when that is nothing */
  receive(fd: number): Received;
  /** Calls back whenever something can be read, and holds no thread. */
  watch(fd: number, readable: () => void): { close(): void };
}

export const MOST_RECEIVED = 4096;
/** SCM_MAX_FD: as many as the kernel passes at once. */
const MOST_DESCRIPTORS = 253;

const AF_UNIX = 1;
const SOCK_STREAM_NONBLOCK_CLOEXEC = 1 | 0o4000 | 0o2000000;
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
/** struct sockaddr_un */
const ADDRESS_BYTES = 110;

/** @throws Error when koffi has no binary for this machine. */
export async function loadUnixSyscalls(): Promise<UnixSyscalls> {
  if (process.platform !== 'linux' || (process.arch !== 'x64' && process.arch !== 'arm64'))
    throw new Error('the agent runs on Linux for x64 and arm64 only');
  const { default: koffi } = await import('koffi');
  const libc = koffi.load(null);
  const socket = libc.func('int socket(int family, int type, int protocol)');
  const connect = libc.func('int connect(int fd, void *address, unsigned int length)');
  const getsockopt = libc.func('int getsockopt(int fd, int level, int name, _Out_ void *value, _Inout_ unsigned int *length)');
  const sendmsg = libc.func('intptr_t sendmsg(int fd, void *message, int flags)');
  const recvmsg = libc.func('intptr_t recvmsg(int fd, void *message, int flags)');
  const close = libc.func('int close(int fd)');
  const pointer = koffi.alloc('uint8_t', Arena.BYTES);
  const arena = new Arena(BigInt(koffi.address(pointer)), koffi.view(pointer, Arena.BYTES));
  const failure = (doing: string): Error => {
    const code = errnoName(koffi.errno());
    return Object.assign(new Error(`${doing}: ${code}`), { code });
  };
  const check = (result: number, doing: string): number => {
    if (result < 0) throw failure(doing);
    return result;
  };
  return {
    peerOf(fd) {
      const credentials = new Int32Array(3);
      check(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, [credentials.byteLength]), 'getsockopt SO_PEERCRED');
      const [pid = 0, uid = -1, gid = -1] = credentials;
      return { pid, uid, gid };
    },
    send(fd, bytes, descriptors) {
      arena.put(bytes, descriptors);
      const sent = check(sendmsg(fd, arena.message, MSG_DONTWAIT | MSG_NOSIGNAL), 'sendmsg');
      if (sent < bytes.length) throw Object.assign(new Error('sendmsg: a part only'), { code: 'EMSGSIZE' });
    },
    connect(path) {
      const address = addressOf(path);
      const fd = check(socket(AF_UNIX, SOCK_STREAM_NONBLOCK_CLOEXEC, 0), 'socket');
      if (connect(fd, address, address.length) >= 0) return fd;
      const error = failure(`connect ${path}`);
      close(fd);
      throw error;
    },
    receive(fd) {
      arena.makeRoom();
      const length = check(recvmsg(fd, arena.message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC), 'recvmsg');
      return { bytes: arena.bytes(length), descriptors: arena.descriptors() };
    },
    watch: (fd, readable) => koffi.node.poll(fd, { readable: true }, readable),
  };
}

function addressOf(path: string): Bytes {
  const text = new TextEncoder().encode(path);
  // One byte for the zero that ends it.
  if (text.length > ADDRESS_BYTES - 3)
    throw Object.assign(new Error(`${path}: longer than ${ADDRESS_BYTES - 3} bytes`), { code: 'ENAMETOOLONG' });
  const address = new Uint8Array(ADDRESS_BYTES);
  address[0] = AF_UNIX;
  address.set(text, 2);
  return address;
}

/**
 * Memory that C reads and writes, one message at a time: struct msghdr with its iovec, control messages and data, as 64-bit Linux lays them out.
 * A control message is length (8), level (4), type (4) and the descriptors, 4 bytes each.
 */
class Arena {
  static readonly #MESSAGE = 56;
  static readonly #VECTOR = Arena.#MESSAGE;
  static readonly #CONTROL = Arena.#VECTOR + 16;
  static readonly #CONTROL_BYTES = 16 + 4 * (MOST_DESCRIPTORS + 1);
  static readonly #DATA = Arena.#CONTROL + Arena.#CONTROL_BYTES;
  static readonly BYTES = Arena.#DATA + MOST_RECEIVED;

  readonly message: Bytes;
  readonly #view: DataView;
  readonly #base: bigint;

  constructor(base: bigint, memory: ArrayBuffer) {
    this.message = new Uint8Array(memory);
    this.#view = new DataView(memory);
    this.#base = base;
  }

  put(bytes: Bytes, descriptors: readonly number[]): void {
    if (bytes.length > MOST_RECEIVED || descriptors.length > MOST_DESCRIPTORS) throw new RangeError('too much for one message');
    this.message.set(bytes, Arena.#DATA);
    const control = 16 + 4 * descriptors.length;
    this.#lay(bytes.length, descriptors.length === 0 ? 0 : (control + 7) & ~7);
    this.#view.setBigUint64(Arena.#CONTROL, BigInt(control), true);
    this.#view.setInt32(Arena.#CONTROL + 8, SOL_SOCKET, true);
    this.#view.setInt32(Arena.#CONTROL + 12, SCM_RIGHTS, true);
    for (const [index, fd] of descriptors.entries()) this.#view.setInt32(Arena.#CONTROL + 16 + 4 * index, fd, true);
  }

  makeRoom(): void {
    this.#lay(MOST_RECEIVED, Arena.#CONTROL_BYTES);
  }

  bytes(length: number): Bytes {
    return this.message.slice(Arena.#DATA, Arena.#DATA + length);
  }

  /** Of all control messages that came. */
  descriptors(): readonly number[] {
    const found: number[] = [];
    const end = Arena.#CONTROL + Number(this.#view.getBigUint64(40, true));
    for (let at = Arena.#CONTROL; at + 16 <= end; ) {
      const length = Number(this.#view.getBigUint64(at, true));
      if (length < 16 || at + length > end) break;
      const rights = this.#view.getInt32(at + 8, true) === SOL_SOCKET && this.#view.getInt32(at + 12, true) === SCM_RIGHTS;
      for (let fd = at + 16; rights && fd + 4 <= at + length; fd += 4) found.push(this.#view.getInt32(fd, true));
      at += (length + 7) & ~7;
    }
    return found;
  }

  #lay(dataBytes: number, controlBytes: number): void {
    const [view, base] = [this.#view, this.#base];
    this.message.fill(0, 0, Arena.#CONTROL + 16);
    view.setBigUint64(16, base + BigInt(Arena.#VECTOR), true);
    view.setBigUint64(24, 1n, true);
    view.setBigUint64(32, base + BigInt(Arena.#CONTROL), true);
    view.setBigUint64(40, BigInt(controlBytes), true);
    view.setBigUint64(Arena.#VECTOR, base + BigInt(Arena.#DATA), true);
    view.setBigUint64(Arena.#VECTOR + 8, BigInt(dataBytes), true);
  }
}
