/** A socket for ESP whose datagrams come and go in batches: many in one system call, and those of one flow and length as one. */
import { type AddressBook, nameLength } from './address-book.ts';
import { CONTROL_HEADER, DatagramRow, SOL_UDP, UDP_GRO } from './datagram-row.ts';
import type { EspSocket } from './esp-thread.ts';
import { BATCH, CONTROL_BYTES, Header, LONGEST, NAME_BYTES, placeOf } from './layout.ts';
import type { Native, NativeArena, NativeCall } from './native.ts';

const MSG_DONTWAIT = 0x40;
/** Of one datagram that the kernel takes apart: less than 2^16 with its headers. */
const MOST_TOGETHER = 65_000;
/** Errors by which the kernel says that it will not take a datagram apart, at all or at this length. */
const NOT_TOGETHER: ReadonlySet<string> = new Set(['EINVAL', 'EIO', 'EMSGSIZE', 'EOPNOTSUPP', 'ENOPROTOOPT']);

/** One of the sockets for ESP. */
export class BatchedSocket {
  readonly local: string;
  readonly #fd: number;
  readonly #native: Native;
  readonly #arena: NativeArena;
  readonly #fail: (code: string, datagrams: number) => void;
  readonly #recvmmsg: NativeCall;
  readonly #sendmmsg: NativeCall;
  readonly #arriving: DatagramRow;
  readonly #leaving: DatagramRow;
  /** Of each header that is about to leave: the length of its packets but the last, the bytes in all, whether another may follow. */
  readonly #segments = new Int32Array(BATCH);
  readonly #totals = new Int32Array(BATCH);
  readonly #counts = new Int32Array(BATCH);
  readonly #names = new Int32Array(BATCH);
  readonly #open = new Uint8Array(BATCH);
  readonly #book: AddressBook;
  #headers = 0;

  constructor(
    native: Native,
    arena: NativeArena,
    { fd, local }: EspSocket,
    places: { readonly packets: number; readonly arriving: number; readonly leaving: number },
    book: AddressBook,
    fail: (code: string, datagrams: number) => void,
  ) {
    this.local = local;
    this.#book = book;
    this.#fd = fd;
    this.#native = native;
    this.#arena = arena;
    this.#fail = fail;
    this.#recvmmsg = native.func('int recvmmsg(int fd, uintptr_t headers, unsigned int count, int flags, uintptr_t timeout)');
    this.#sendmmsg = native.func('int sendmmsg(int fd, uintptr_t headers, unsigned int count, int flags)');
    this.#arriving = new DatagramRow(arena, places.arriving);
    this.#leaving = new DatagramRow(arena, places.leaving);
    for (let index = 0; index < BATCH; index++) {
      this.#arriving.setVector(index, 0, placeOf(places.packets, index), LONGEST);
      this.#arriving.setVectorCount(index, 1);
      this.#arriving.setName(index, this.#arriving.name(index), NAME_BYTES);
    }
    this.#join();
  }

  /** Lets the kernel put together what arrives, where it can. */
  #join(): void {
    const setsockopt = this.#native.func('int setsockopt(int fd, int level, int name, uintptr_t value, unsigned int length)');
    const value = this.#arriving.control(0);
    this.#arena.view.setInt32(value, 1, true);
    setsockopt(this.#fd, SOL_UDP, UDP_GRO, this.#arena.base + value, 4);
  }

  /** How many datagrams have arrived; below 0: none. @throws Error when none ever can. */
  receive(): number {
    for (let index = 0; index < BATCH; index++) this.#arriving.setControlLength(index, CONTROL_BYTES);
    const count = this.#recvmmsg(this.#fd, this.#arena.base + this.#arriving.headers, BATCH, MSG_DONTWAIT, 0);
    if (count < 0) this.#demandUsable(this.#native.errno());
    return count;
  }

  /** Other errors pass, and these would wake the thread for ever. */
  #demandUsable(code: string): void {
    if (code === 'EBADF' || code === 'ENOTSOCK' || code === 'EINVAL' || code === 'EFAULT')
      throw new Error(`the socket for ESP at ${this.local}: ${code}; was it closed?`);
  }

  nameAt(index: number): number {
    return this.#arriving.name(index);
  }

  lengthOf(index: number): number {
    return this.#arena.view.getUint32(this.#arriving.header(index) + Header.LENGTH, true);
  }

  /** The length of each of the datagrams that arrived as one; 0: it is one. */
  segmentOf(index: number): number {
    const { view } = this.#arena;
    if (view.getUint32(this.#arriving.header(index) + Header.CONTROL_LENGTH, true) < CONTROL_HEADER + 4) return 0;
    const control = this.#arriving.control(index);
    const gro = view.getInt32(control + 8, true) === SOL_UDP && view.getInt32(control + 12, true) === UDP_GRO;
    return gro ? view.getInt32(control + CONTROL_HEADER, true) : 0;
  }

  put(at: number, length: number, name: number): void {
    const index = this.#headerFor(length, name);
    const count = this.#counts[index] ?? 0;
    this.#leaving.setVector(index, count, at, length);
    this.#counts[index] = count + 1;
    this.#totals[index] = (this.#totals[index] ?? 0) + length;
    // A shorter one is the last.
    this.#open[index] = length === this.#segments[index] ? 1 : 0;
  }

  /** The last header for this name, if the packet may join the others there. */
  #headerFor(length: number, name: number): number {
    for (let index = this.#headers - 1; index >= 0; index--) {
      if (this.#names[index] !== name) continue;
      const fits =
        this.#open[index] === 1 &&
        length <= (this.#segments[index] ?? 0) &&
        (this.#segments[index] ?? 0) <= this.#book.longestTogether(name) &&
        (this.#totals[index] ?? 0) + length <= MOST_TOGETHER;
      if (fits) return index;
      break;
    }
    const index = this.#headers++;
    this.#names[index] = name;
    this.#segments[index] = length;
    this.#totals[index] = 0;
    this.#counts[index] = 0;
    return index;
  }

  flush(): void {
    const headers = this.#headers;
    for (let index = 0; index < headers; index++) this.#finish(index);
    this.#headers = 0;
    for (let index = 0; index < headers; ) {
      const sent = this.#sendmmsg(this.#fd, this.#arena.base + this.#leaving.header(index), headers - index, MSG_DONTWAIT);
      // It stops at the first that fails, and tells why when that is the first of all.
      if (sent < 0) this.#refused(index, this.#native.errno());
      index += Math.max(1, sent);
    }
  }

  #finish(index: number): void {
    const name = this.#names[index] ?? 0;
    const count = this.#counts[index] ?? 0;
    this.#leaving.setName(index, name, nameLength(this.#arena, name));
    this.#leaving.setVectorCount(index, count);
    if (count === 1) this.#leaving.setControlLength(index, 0);
    else this.#leaving.setSegment(index, this.#segments[index] ?? 0);
  }

  #refused(index: number, code: string): void {
    const count = this.#counts[index] ?? 0;
    if (count === 1 || !NOT_TOGETHER.has(code)) {
      this.#fail(code, count);
      return;
    }
    this.#book.limitTogether(this.#names[index] ?? 0, (this.#segments[index] ?? 1) - 1);
    this.#sendApart(index, count);
  }

  /** One after the other, each in the place of the first. */
  #sendApart(index: number, count: number): void {
    const header = this.#arena.base + this.#leaving.header(index);
    this.#leaving.setVectorCount(index, 1);
    this.#leaving.setControlLength(index, 0);
    for (let packet = 0; packet < count; packet++) {
      this.#leaving.pointToVector(index, packet);
      if (this.#sendmmsg(this.#fd, header, 1, MSG_DONTWAIT) < 0) this.#fail(this.#native.errno(), 1);
    }
    this.#leaving.pointToVector(index, 0);
  }
}
