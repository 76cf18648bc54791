/**
 * ESP in UDP (RFC 3948) in batches: many datagrams in one system call, and those of one flow and length as one (UDP_SEGMENT), so that they pass the
 * network stack once; likewise what arrives (UDP_GRO).
 */
import type { Path } from '../dataplane.ts';
import type { Origin } from '../userspace/installed-child.ts';
import { AddressBook, NamedOrigin, nameLength } from './address-book.ts';
import type { EspSocket } from './esp-thread.ts';
import {
  BATCH,
  CONTROL_BYTES,
  HEADER_BYTES,
  Header,
  type Layout,
  LONGEST,
  NAME_BYTES,
  NAMES,
  placeOf,
  setAddress,
  VECTOR_BYTES,
} from './layout.ts';
import type { Native, NativeArena, NativeCall } from './native.ts';

const SOL_UDP = 17;
const UDP_SEGMENT = 103;
const UDP_GRO = 104;
const MSG_DONTWAIT = 0x40;
/** Of one datagram that the kernel takes apart: less than 2^16 with its headers. */
const MOST_TOGETHER = 65_000;
/** struct cmsghdr before its data. */
const CONTROL_HEADER = 16;
/** Errors by which the kernel says that it will not take a datagram apart, at all or at this length. */
const NOT_TOGETHER: ReadonlySet<string> = new Set(['EINVAL', 'EIO', 'EMSGSIZE', 'EOPNOTSUPP', 'ENOPROTOOPT']);

/** Takes a datagram that stands at `at`. */
export type TakeDatagram = (at: number, length: number, origin: Origin) => void;

/** Where the structures are. */
export interface SocketPlaces {
  readonly packets: number;
  readonly book: number;
  readonly rows: readonly { readonly arriving: number; readonly leaving: number }[];
}

/** Bytes for one direction of a socket: headers, names, vectors (for each header as many as there may be packets), control data. */
const ROW = BATCH * (HEADER_BYTES + NAME_BYTES + CONTROL_BYTES) + BATCH * BATCH * VECTOR_BYTES;

export const socketPlaces = (layout: Layout, sockets: number): SocketPlaces => ({
  packets: layout.takePlaces(),
  book: layout.take(NAMES * NAME_BYTES),
  rows: Array.from({ length: sockets }, () => ({ arriving: layout.take(ROW), leaving: layout.take(ROW) })),
});

export class EspSockets {
  readonly #sockets: readonly Socket[];
  readonly #byLocal = new Map<string, Socket | undefined>();
  readonly #book: AddressBook;
  readonly #origin: NamedOrigin;
  readonly #packets: number;
  readonly #failed: Record<string, number> = {};

  constructor(native: Native, arena: NativeArena, places: SocketPlaces, sockets: readonly EspSocket[]) {
    this.#packets = places.packets;
    this.#book = new AddressBook(arena, places.book);
    this.#origin = new NamedOrigin(arena, this.#book);
    const fail = (code: string, datagrams: number): void => this.fail(code, datagrams);
    this.#sockets = sockets.map((socket, index) => {
      const row = places.rows[index] ?? { arriving: 0, leaving: 0 };
      return new Socket(native, arena, socket, { packets: places.packets, ...row }, this.#book, fail);
    });
  }

  /** Hands over what has arrived, one batch of each socket. Answers how many datagrams it was. */
  receive(take: TakeDatagram): number {
    let datagrams = 0;
    for (const socket of this.#sockets) datagrams += this.#receive(socket, take);
    return datagrams;
  }

  /** When `flush` is called; until then the bytes must stay as they are. */
  send(at: number, length: number, { local, remote }: Path): void {
    const socket = this.#socketOf(local);
    if (this.#book.full) {
      this.flush();
      this.#book.clear();
    }
    const name = this.#book.find(remote);
    if (!socket) this.fail('NO_SOCKET', 1);
    else if (name === undefined) this.fail('EDESTADDRREQ', 1);
    else socket.put(at, length, name);
  }

  flush(): void {
    for (const socket of this.#sockets) socket.flush();
  }

  /** Datagrams that did not leave, by errno name. */
  failed(): Readonly<Record<string, number>> {
    return { ...this.#failed };
  }

  fail(code: string, datagrams: number): void {
    this.#failed[code] = (this.#failed[code] ?? 0) + datagrams;
  }

  #receive(socket: Socket, take: TakeDatagram): number {
    const count = socket.receive();
    for (let index = 0; index < count; index++) {
      this.#origin.set(socket.nameAt(index), socket.local);
      if (!this.#origin.answerable) continue;
      const at = placeOf(this.#packets, index);
      const whole = socket.lengthOf(index);
      const each = socket.segmentOf(index) || whole;
      for (let from = 0; from < whole; from += each) take(at + from, Math.min(each, whole - from), this.#origin);
    }
    return Math.max(0, count);
  }

  /** A child that came from another pod may still name that pod's address: then a socket of ours of the same version of IP serves. */
  #socketOf(local: string): Socket | undefined {
    const known = this.#byLocal.get(local);
    if (known || this.#byLocal.has(local)) return known;
    const ipv6 = local.startsWith('[');
    const socket =
      this.#sockets.find((one) => one.local === local) ?? this.#sockets.find((one) => one.local.startsWith('[') === ipv6);
    if (this.#byLocal.size >= NAMES) this.#byLocal.clear();
    this.#byLocal.set(local, socket);
    return socket;
  }
}

class Socket {
  readonly local: string;
  readonly #fd: number;
  readonly #native: Native;
  readonly #arena: NativeArena;
  readonly #fail: (code: string, datagrams: number) => void;
  readonly #recvmmsg: NativeCall;
  readonly #sendmmsg: NativeCall;
  readonly #arriving: Row;
  readonly #leaving: Row;
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
    this.#arriving = new Row(arena, places.arriving);
    this.#leaving = new Row(arena, places.leaving);
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

/** A batch of struct mmsghdr, and what they point to. */
class Row {
  readonly headers: number;
  readonly #arena: NativeArena;
  readonly #names: number;
  readonly #controls: number;
  readonly #vectors: number;

  constructor(arena: NativeArena, at: number) {
    this.#arena = arena;
    this.headers = at;
    this.#names = at + BATCH * HEADER_BYTES;
    this.#controls = this.#names + BATCH * NAME_BYTES;
    this.#vectors = this.#controls + BATCH * CONTROL_BYTES;
    for (let index = 0; index < BATCH; index++) {
      this.pointToVector(index, 0);
      setAddress(arena, this.header(index) + Header.CONTROL, this.control(index));
    }
  }

  header(index: number): number {
    return this.headers + index * HEADER_BYTES;
  }

  name(index: number): number {
    return this.#names + index * NAME_BYTES;
  }

  control(index: number): number {
    return this.#controls + index * CONTROL_BYTES;
  }

  setName(index: number, name: number, length: number): void {
    setAddress(this.#arena, this.header(index) + Header.NAME, name);
    this.#arena.view.setUint32(this.header(index) + Header.NAME_LENGTH, length, true);
  }

  setVectorCount(index: number, count: number): void {
    this.#arena.view.setUint32(this.header(index) + Header.VECTOR_COUNT, count, true);
  }

  setControlLength(index: number, length: number): void {
    this.#arena.view.setUint32(this.header(index) + Header.CONTROL_LENGTH, length, true);
  }

  /** struct cmsghdr with the option that has the kernel take the datagram apart. */
  setSegment(index: number, length: number): void {
    const { view } = this.#arena;
    const control = this.control(index);
    view.setUint32(control, CONTROL_HEADER + 2, true);
    view.setUint32(control + 4, 0, true);
    view.setInt32(control + 8, SOL_UDP, true);
    view.setInt32(control + 12, UDP_SEGMENT, true);
    view.setUint16(control + CONTROL_HEADER, length, true);
    this.setControlLength(index, CONTROL_BYTES);
  }

  setVector(index: number, packet: number, at: number, length: number): void {
    const vector = this.#vector(index, packet);
    setAddress(this.#arena, vector, at);
    this.#arena.view.setUint32(vector + 8, length, true);
  }

  /** The first one that the header has. */
  pointToVector(index: number, packet: number): void {
    setAddress(this.#arena, this.header(index) + Header.VECTORS, this.#vector(index, packet));
  }

  #vector(index: number, packet: number): number {
    return this.#vectors + (index * BATCH + packet) * VECTOR_BYTES;
  }
}
