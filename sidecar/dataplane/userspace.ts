/**
 * The data plane in user space, in the thread that reads the sockets: ESP in tunnel mode inside UDP, where the kernel has no ESP or we have no rights.
 *
 * The outer IP header is the UDP socket's own, so neither DSCP nor ECN is copied: an outer Not-ECT is what a tunnel that
 * does not speak ECN sends (RFC 6040 §4.1 compatibility mode), and without a mark outside none has to be copied in.
 */
import type { DataplaneOrder, DataplaneReport } from '../contract/dataplane.ts';
import type { Cryptography } from '../ike/crypto/cryptography.ts';
import type { Bytes } from '../ike/wire/bytes.ts';
import type { ChildTraffic, DataplaneStats, DropReason, PacketDataplane, Path } from './dataplane.ts';
import { type Arena, arenaOf, HEADROOM, TAILROOM } from './userspace/arena.ts';
import { EspEngine, type UserspaceSettings } from './userspace/esp-engine.ts';
import type { Origin } from './userspace/installed-child.ts';
import { providerCiphers } from './userspace/provider-ciphers.ts';

export type { UserspaceSettings } from './userspace/esp-engine.ts';

export interface UserspaceOptions extends UserspaceSettings {
  readonly crypto: Cryptography;
  readonly random: (length: number) => Bytes;
  /** Puts an ESP packet on the wire, in UDP from `path.local` to `path.remote`; always encapsulated, which every peer with NAT traversal takes (RFC 7296 §2.23). */
  readonly send: (packet: Bytes, path: Path) => void;
  /** Takes inner packets that are for this machine or what lies behind it: a TUN device, or the client in this process. */
  readonly deliver?: (inner: Bytes) => void;
  /** Whether packets from one peer to another go straight on: true at a gateway, false at a client. */
  readonly forward: boolean;
  /** Sequence numbers that the anti-replay window spans, 64 at least. */
  readonly replayWindow?: number;
}

/** Of any packet, ESP or not: IPv6 with the longest payload that its header can tell (RFC 8200 §3). */
const LONGEST_PACKET = 40 + 0xffff;
const PLACE = HEADROOM + LONGEST_PACKET + TAILROOM;
const [ARRIVING, LEAVING] = [HEADROOM, PLACE + HEADROOM];

export class UserspaceDataplane implements PacketDataplane {
  readonly #arena: Arena = arenaOf(new Uint8Array(2 * PLACE));
  readonly #engine: EspEngine;

  constructor(options: UserspaceOptions) {
    const { crypto, random, send, deliver } = options;
    // Others keep what they get, and may come back with more before they return.
    const copy = (at: number, length: number): Bytes => this.#arena.bytes.slice(at, at + length);
    this.#engine = new EspEngine({
      ...options,
      arena: this.#arena,
      ciphers: providerCiphers(this.#arena, crypto, random),
      send: (at, length, path) => send(copy(at, length), path),
      deliver: deliver && ((at, length) => deliver(copy(at, length))),
      room: () => LEAVING,
    });
  }

  configure(settings: UserspaceSettings): void {
    this.#engine.configure(settings);
  }

  order(order: DataplaneOrder): void {
    this.#engine.order(order);
  }

  receive(packet: Bytes, path: Path): DropReason | undefined {
    return this.#engine.receive(ARRIVING, this.#put(packet, ARRIVING), originAt(path));
  }

  /** Takes an inner packet that is to leave by the child that carries it. */
  transmit(inner: Bytes): DropReason | undefined {
    return this.#engine.transmit(LEAVING, this.#put(inner, LEAVING));
  }

  reports(): readonly DataplaneReport[] {
    return this.#engine.reports();
  }

  settle(): undefined {}

  stats(): DataplaneStats {
    return this.#engine.stats();
  }

  traffic(spiIn: number): ChildTraffic | undefined {
    return this.#engine.traffic(spiIn);
  }

  close(): void {
    this.#engine.close();
  }

  /** Answers the length; nothing is as long as what does not fit. */
  #put(packet: Bytes, at: number): number {
    if (packet.length > LONGEST_PACKET) return 0;
    this.#arena.bytes.set(packet, at);
    return packet.length;
  }
}

const originAt = (path: Path): Origin => ({ is: (remote) => remote === path.remote, path: () => path });
