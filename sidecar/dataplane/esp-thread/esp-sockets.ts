/**
 * ESP in UDP (RFC 3948) in batches: many datagrams in one system call, and those of one flow and length as one (UDP_SEGMENT), so that they pass the
 * network stack once; likewise what arrives (UDP_GRO).
 */
import type { Path } from '../dataplane.ts';
import type { Origin } from '../userspace/installed-child.ts';
import { AddressBook, NamedOrigin } from './address-book.ts';
import { BatchedSocket } from './batched-socket.ts';
import { ROW_BYTES } from './datagram-row.ts';
import type { EspSocket } from './esp-thread.ts';
import { type Layout, NAME_BYTES, NAMES, placeOf } from './layout.ts';
import type { Native, NativeArena } from './native.ts';

/** Takes a datagram that stands at `at`. */
export type TakeDatagram = (at: number, length: number, origin: Origin) => void;

/** Where the structures are. */
export interface SocketPlaces {
  readonly packets: number;
  readonly book: number;
  readonly rows: readonly { readonly arriving: number; readonly leaving: number }[];
}

export const socketPlaces = (layout: Layout, sockets: number): SocketPlaces => ({
  packets: layout.takePlaces(),
  book: layout.take(NAMES * NAME_BYTES),
  rows: Array.from({ length: sockets }, () => ({ arriving: layout.take(ROW_BYTES), leaving: layout.take(ROW_BYTES) })),
});

export class EspSockets {
  readonly #sockets: readonly BatchedSocket[];
  readonly #byLocal = new Map<string, BatchedSocket | undefined>();
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
      return new BatchedSocket(native, arena, socket, { packets: places.packets, ...row }, this.#book, fail);
    });
  }

  /** Hands over what has arrived, one batch of each socket. Answers how many datagrams it was. */
  receive(take: TakeDatagram): number {
    let datagrams = 0;
    this.#makeRoom();
    for (const socket of this.#sockets) datagrams += this.#receive(socket, take);
    return datagrams;
  }

  /** When `flush` is called; until then the bytes must stay as they are. */
  send(at: number, length: number, { local, remote }: Path): void {
    const socket = this.#socketOf(local);
    this.#makeRoom();
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

  /** In the book. */
  #makeRoom(): void {
    if (!this.#book.full) return;
    this.flush();
    this.#book.clear();
  }

  #receive(socket: BatchedSocket, take: TakeDatagram): number {
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
  #socketOf(local: string): BatchedSocket | undefined {
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
