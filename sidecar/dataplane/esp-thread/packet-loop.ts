/** The life of the thread: packets from sockets and TUN device, orders from the other side, news once a second. It waits in the kernel, for all of them at once. */
import type { MessagePort } from 'node:worker_threads';
import { receiveMessageOnPort } from 'node:worker_threads';
import type { DataplaneOrder, DataplaneReport } from '../../contract/dataplane.ts';
import type { Cryptography } from '../../ike/crypto/cryptography.ts';
import type { Bytes } from '../../ike/wire/bytes.ts';
import type { EspCiphers } from '../userspace/esp-cipher.ts';
import { EspEngine } from '../userspace/esp-engine.ts';
import { providerCiphers } from '../userspace/provider-ciphers.ts';
import { EspSockets, socketPlaces, type TakeDatagram } from './esp-sockets.ts';
import { inPlaceCiphers } from './in-place-ciphers.ts';
import { agree } from './in-place-self-test.ts';
import { type InnerLink, type LeavingPlaces, PlainLink } from './inner-link.ts';
import { BATCH, Layout, POLL_BYTES, placeOf } from './layout.ts';
import { type Beginning, Bell, type FromThread, type Outcome, Rung, type ToThread } from './messages.ts';
import type { Native, NativeArena, NativeCall } from './native.ts';
import { OffloadLink } from './offload-link.ts';
import { SCRATCH_BYTES } from './openssl.ts';
import { FLOWS } from './segments-together.ts';
import { TunDescriptor, TunGone } from './tun-descriptor.ts';
import { startOffload } from './virtio-header.ts';

const NEWS_MS = 1000;
const POLLIN = 1;

export interface LoopParts {
  readonly native: Native;
  readonly crypto: Cryptography;
  readonly random: (length: number) => Bytes;
  readonly port: MessagePort;
}

export class PacketLoop {
  readonly #arena: NativeArena;
  readonly #port: MessagePort;
  readonly #bell: Int32Array;
  readonly #wakeup: number;
  readonly #sockets: EspSockets;
  readonly #engine: EspEngine;
  readonly #poll: NativeCall;
  readonly #read: NativeCall;
  readonly #polled: number;
  readonly #leavingPlaces: number;
  readonly #take: TakeDatagram;
  readonly #depart: (at: number, length: number) => void;
  readonly #places: LeavingPlaces;
  #links: readonly InnerLink[];
  #waitingFor: number;
  #leaving = 0;
  #newsAt: number;
  #closed = false;

  constructor(beginning: Beginning, parts: LoopParts) {
    const { native, port } = parts;
    const { sockets, tun, settings, forward } = beginning;
    this.#port = port;
    this.#bell = new Int32Array(beginning.bell);
    this.#wakeup = beginning.wakeup;
    const layout = new Layout();
    const places = socketPlaces(layout, sockets.length);
    this.#leavingPlaces = layout.takePlaces();
    this.#polled = layout.take((1 + tun.length + sockets.length) * POLL_BYTES);
    const scratch = layout.take(SCRATCH_BYTES);
    const linkPlaces = layout.takePlaces(1 + FLOWS);
    const arena = native.allocate(layout.size);
    this.#arena = arena;
    this.#poll = native.func('int poll(uintptr_t fds, unsigned long count, int timeout)');
    this.#read = native.func('intptr_t read(int fd, uintptr_t into, size_t length)');
    this.#sockets = new EspSockets(native, arena, places, sockets);
    this.#links = tun.map((fd) => {
      const descriptor = new TunDescriptor(native, arena, fd);
      if (!startOffload(native, arena, fd, scratch)) return new PlainLink(descriptor);
      const [reading = 0, ...growing] = Array.from({ length: 1 + FLOWS }, (_, index) => placeOf(linkPlaces, index));
      return new OffloadLink(descriptor, arena, reading, growing);
    });
    const [first] = this.#links;
    this.#waitingFor = this.#preparePoll(sockets.map(({ fd }) => fd));
    this.#engine = new EspEngine({
      ...settings,
      ...{ arena, forward },
      ciphers: ciphersOf(parts, arena, { scratch, place: this.#leavingPlaces }),
      send: (at, length, path) => {
        this.#sockets.send(at, length, path);
        if (++this.#leaving === BATCH) this.#flush();
      },
      deliver: first && ((at, length) => first.deliver(at, length)),
      room: () => placeOf(this.#leavingPlaces, this.#leaving),
    });
    this.#take = (at, length, origin) => void this.#engine.receive(at, length, origin);
    this.#places = { next: () => placeOf(this.#leavingPlaces, this.#leaving) };
    this.#depart = (at, length) => void this.#engine.transmit(at, length);
    this.#newsAt = performance.now() + NEWS_MS;
  }

  /** Until it is told to close. */
  run(): void {
    while (!this.#closed) {
      const packets = this.#arrivals() + this.#departures();
      if (Atomics.load(this.#bell, Bell.RUNG) !== Rung.NO) this.#answer();
      if (performance.now() >= this.#newsAt) this.#tell();
      if (packets === 0 && !this.#closed) this.#wait();
    }
    this.#engine.close();
  }

  #arrivals(): number {
    const datagrams = this.#sockets.receive(this.#take);
    for (const link of this.#links) link.flush();
    this.#flush();
    return datagrams;
  }

  /** At most a batch of each queue, so that the others have their turn. */
  #departures(): number {
    let packets = 0;
    try {
      for (const link of this.#links) packets += link.depart(this.#places, this.#depart);
    } catch (error) {
      if (!(error instanceof TunGone)) throw error;
      this.#loseTun(error);
    }
    this.#flush();
    return packets;
  }

  #flush(): void {
    if (this.#leaving === 0) return;
    this.#leaving = 0;
    this.#sockets.flush();
  }

  #loseTun({ message }: TunGone): void {
    for (let index = 0; index < this.#links.length; index++)
      this.#arena.view.setInt32(this.#polled + (1 + index) * POLL_BYTES, -1, true);
    this.#links = [];
    this.#say({ type: 'tun-gone', reason: message });
  }

  /** struct pollfd: descriptor (4), events (2), what happened (2). Answers how many there are. */
  #preparePoll(sockets: readonly number[]): number {
    const fds = [this.#wakeup, ...this.#links.map(({ fd }) => fd), ...sockets];
    for (const [index, fd] of fds.entries()) {
      this.#arena.view.setInt32(this.#polled + index * POLL_BYTES, fd, true);
      this.#arena.view.setInt16(this.#polled + index * POLL_BYTES + 4, POLLIN, true);
    }
    return fds.length;
  }

  #wait(): void {
    const rest = Math.max(0, Math.ceil(this.#newsAt - performance.now()));
    this.#poll(this.#arena.base + this.#polled, this.#waitingFor, rest);
  }

  #answer(): void {
    if (Atomics.exchange(this.#bell, Bell.RUNG, Rung.NO) === Rung.END) {
      this.#closed = true;
      return;
    }
    // Eight bytes, for which there is room where packets leave from.
    this.#read(this.#wakeup, this.#arena.base + placeOf(this.#leavingPlaces, this.#leaving), 8);
    for (let message = receiveMessageOnPort(this.#port); message; message = receiveMessageOnPort(this.#port))
      this.#obey(message.message);
  }

  #obey(message: ToThread): void {
    switch (message.type) {
      case 'orders':
        this.#say({ type: 'done', id: message.id, outcomes: message.orders.map((order) => this.#carryOut(order)) });
        break;
      case 'configure':
        this.#engine.configure(message.settings);
        break;
      case 'settle':
        this.#tell();
        this.#say({ type: 'done', id: message.id, outcomes: [] });
        break;
      case 'close':
        this.#tell();
        this.#closed = true;
    }
  }

  #carryOut(order: DataplaneOrder): Outcome {
    const last = order.order === 'remove' ? this.#engine.traffic(order.spiIn) : undefined;
    try {
      this.#engine.order(order);
      return { last };
    } catch (error) {
      return { failure: error instanceof Error ? error.message : String(error) };
    }
  }

  /** Nothing when nothing happened. */
  #tell(): void {
    this.#newsAt = performance.now() + NEWS_MS;
    const reports = this.#engine.reports();
    const carried = reports.filter(isCarried);
    const traffic = carried.flatMap(({ spiIn }) => this.#engine.traffic(spiIn) ?? []);
    this.#say({ type: 'news', reports, traffic, drops: this.#engine.drops(), failed: this.#sockets.failed() });
  }

  #say(message: FromThread): void {
    this.#port.postMessage(message);
  }
}

const isCarried = (report: DataplaneReport): report is Extract<DataplaneReport, { report: 'carried' }> =>
  report.report === 'carried';

/** In place where OpenSSL can be called and agrees with the provider, and nothing else was asked for. `place`: room for a packet. */
function ciphersOf(
  { native, crypto, random }: LoopParts,
  arena: NativeArena,
  { scratch, place }: { readonly scratch: number; readonly place: number },
): EspCiphers {
  const others = providerCiphers(arena, crypto, random);
  if (crypto.provider === 'noble') return others;
  try {
    const ours = inPlaceCiphers(native, arena, scratch, crypto, others);
    return agree(arena, place, ours, others) ? ours : others;
  } catch {
    return others;
  }
}
