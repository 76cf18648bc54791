/**
 * The data plane in user space: ESP in tunnel mode inside UDP, where the kernel has no ESP or we have no rights.
 *
 * The outer IP header is the UDP socket's own, so neither DSCP nor ECN is copied: an outer Not-ECT is what a tunnel that
 * does not speak ECN sends (RFC 6040 §4.1 compatibility mode), and without a mark outside none has to be copied in.
 */
import type { ChildSa, DataplaneOrder, DataplaneReport } from '../contract/dataplane.ts';
import type { Cryptography } from '../ike/crypto/cryptography.ts';
import type { Bytes } from '../ike/wire/bytes.ts';
import type { ChildTraffic, DataplaneStats, DropReason, PacketDataplane, Path } from './dataplane.ts';
import { ChildTable } from './userspace/child-table.ts';
import { spiOf } from './userspace/esp.ts';
import { nextHop } from './userspace/hop-limit.ts';
import { answerEcho } from './userspace/icmp.ts';
import { type InnerPacket, parseInnerPacket } from './userspace/inner-packet.ts';
import { InstalledChild } from './userspace/installed-child.ts';
import { compare } from './userspace/selector.ts';
import { NO_DROPS, NO_TRAFFIC, plus } from './userspace/traffic.ts';

/** What a reload may change. */
export interface UserspaceSettings {
  /** Inner addresses of ours that answer ICMP echo, 4 or 16 bytes each. */
  readonly ownAddresses: readonly Bytes[];
  /** A child carries at most so many bytes of inner packets each way, and reports at nine tenths of it; 0 for any number. */
  readonly lifetimeBytes: number;
}

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

const REPLAY_WINDOW = 1024;

export class UserspaceDataplane implements PacketDataplane {
  readonly #options: UserspaceOptions;
  readonly #children = new ChildTable();
  readonly #touched = new Set<InstalledChild>();
  readonly #drops: Record<DropReason, number> = { ...NO_DROPS };
  #past = NO_TRAFFIC;
  #settings: UserspaceSettings;

  constructor(options: UserspaceOptions) {
    this.#options = options;
    this.#settings = options;
  }

  configure(settings: UserspaceSettings): void {
    this.#settings = settings;
  }

  order(order: DataplaneOrder): void {
    if (order.order === 'install') this.#install(order.child);
    else if (order.order === 'remove') this.#remove(order.spiIn);
    else this.#move(order);
  }

  receive(packet: Bytes, path: Path): DropReason | undefined {
    return this.#count(this.#receive(packet, path));
  }

  /** Sends an inner packet from this machine or what lies behind it through the child that carries it. */
  transmit(inner: Bytes): DropReason | undefined {
    const packet = parseInnerPacket(inner);
    return this.#count(packet ? this.#transmit(packet) : 'malformed');
  }

  reports(): readonly DataplaneReport[] {
    const reports: DataplaneReport[] = [];
    for (const touched of this.#touched) {
      const { spiIn } = touched.child;
      reports.push({ report: 'carried', spiIn, ...touched.sequences() });
      const alive = touched.takeAlive();
      if (alive) reports.push({ report: 'alive', spiIn, ...alive });
      if (touched.takeExpiring(this.#settings.lifetimeBytes)) reports.push({ report: 'expiring', spiIn });
    }
    this.#touched.clear();
    return reports;
  }

  settle(): undefined {}

  stats(): DataplaneStats {
    const children = Array.from(this.#children, (child) => child.traffic());
    return { children, totals: children.reduce(plus, this.#past), drops: { ...this.#drops } };
  }

  traffic(spiIn: number): ChildTraffic | undefined {
    return this.#children.bySpi(spiIn)?.traffic();
  }

  close(): void {
    this.#past = this.stats().totals;
    this.#children.clear();
    this.#touched.clear();
  }

  #receive(packet: Bytes, path: Path): DropReason | undefined {
    const spi = spiOf(packet);
    if (spi === undefined) return 'malformed';
    const child = this.#children.bySpi(spi);
    if (!child) return 'unknown-spi';
    const inner = child.open(packet, path);
    this.#touched.add(child);
    return typeof inner === 'string' ? inner : this.#route(inner);
  }

  #route(inner: InnerPacket): DropReason | undefined {
    if (
      this.#settings.ownAddresses.some((own) => own.length === inner.destination.length && compare(own, inner.destination) === 0)
    ) {
      const answer = answerEcho(inner);
      if (answer) return this.#answer(answer);
    } else if (this.#options.forward) {
      const to = this.#children.carrying(inner);
      if (to) return this.#forward(inner, to);
    }
    if (!this.#options.deliver) return 'undeliverable';
    this.#options.deliver(inner.bytes);
    return undefined;
  }

  #answer(answer: Bytes): undefined {
    // An answer that cannot leave is counted by itself: the request did arrive.
    this.transmit(answer);
  }

  /** From one peer to another (hairpin), as a router does. */
  #forward(inner: InnerPacket, to: InstalledChild): DropReason | undefined {
    const next = nextHop(inner);
    return next ? this.#send(next, to) : 'hop-limit';
  }

  #transmit(inner: InnerPacket): DropReason | undefined {
    const child = this.#children.carrying(inner);
    return child ? this.#send(inner, child) : 'no-child';
  }

  #send(inner: InnerPacket, child: InstalledChild): DropReason | undefined {
    const sealed = child.seal(inner, this.#settings.lifetimeBytes, this.#options.random);
    this.#touched.add(child);
    if (typeof sealed === 'string') return sealed;
    this.#options.send(sealed, child.child.path);
    return undefined;
  }

  #install(child: ChildSa): void {
    const before = this.#children.bySpi(child.spiIn);
    // The same keys once more: sequence numbers go on, since an IV of an AEAD must never come twice (RFC 4106 §3.1).
    if (before?.hasKeysOf(child)) {
      this.#children.remove(child.spiIn);
      before.child = child;
      this.#children.add(before);
      return;
    }
    const installed = new InstalledChild(
      child,
      this.#options.crypto,
      this.#options.replayWindow ?? REPLAY_WINDOW,
      child.sequences,
    );
    this.#remove(child.spiIn);
    this.#children.add(installed);
  }

  #move({ spiIn, path, encapsulated }: Extract<DataplaneOrder, { order: 'move' }>): void {
    const moved = this.#children.bySpi(spiIn);
    if (moved) moved.child = { ...moved.child, path, encapsulated };
  }

  #remove(spiIn: number): void {
    const child = this.#children.bySpi(spiIn);
    if (!child) return;
    this.#past = plus(this.#past, child.traffic());
    this.#touched.delete(child);
    this.#children.remove(spiIn);
  }

  #count(dropped: DropReason | undefined): DropReason | undefined {
    if (dropped) this.#drops[dropped]++;
    return dropped;
  }
}
