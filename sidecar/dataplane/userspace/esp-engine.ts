/**
 * What becomes of each packet in tunnel mode (RFC 4301 §5): from which child, by which child, where to. Packets stand in an arena and stay there;
 * nothing is copied or allocated for one that goes its usual way. Knows no sockets and no devices.
 */
import type { ChildSa, DataplaneOrder, DataplaneReport, InstallOrder } from '../../contract/dataplane.ts';
import type { Bytes } from '../../ike/wire/bytes.ts';
import type { ChildTraffic, DataplaneStats, DropReason, Path } from '../dataplane.ts';
import type { Arena } from './arena.ts';
import { ChildTable } from './child-table.ts';
import { ESP_HEADER } from './esp.ts';
import type { EspCiphers } from './esp-cipher.ts';
import { takeHop } from './hop-limit.ts';
import { answerEcho } from './icmp.ts';
import { InnerPacket } from './inner-packet.ts';
import { InstalledChild, type Origin, resumed } from './installed-child.ts';
import { compareAt } from './selector.ts';
import { NO_DROPS, NO_TRAFFIC, plus } from './traffic.ts';

/** What a reload may change. */
export interface UserspaceSettings {
  /** Inner addresses of ours that answer ICMP echo, 4 or 16 bytes each. */
  readonly ownAddresses: readonly Bytes[];
  /** A child carries at most so many bytes of inner packets each way, and reports at nine tenths of it; 0 for any number. */
  readonly lifetimeBytes: number;
  /** What becomes of packets from one peer to another: they go straight on, or are dropped. Default: they go on. */
  readonly isolatePeers?: boolean | undefined;
}

export interface EngineOptions extends UserspaceSettings {
  readonly arena: Arena;
  /** For packets in this arena. */
  readonly ciphers: EspCiphers;
  /** Puts the `length` bytes of an ESP packet at `at` on the wire; they must stay as they are until it has left. */
  readonly send: (at: number, length: number, path: Path) => void;
  /** Takes an inner packet for this machine or what lies behind it, before it answers. Undefined: nobody does. */
  readonly deliver: ((at: number, length: number) => void) | undefined;
  /** Where a packet of this length may stand until it has left, with head and tailroom: one that comes from a peer and goes to another has none. */
  readonly room: (length: number) => number;
  /** Whether packets from one peer to another are ours to look at: true at a gateway, false at a client. */
  readonly forward: boolean;
  /** Sequence numbers that the anti-replay window spans, 64 at least. */
  readonly replayWindow?: number | undefined;
}

const REPLAY_WINDOW = 1024;

export class EspEngine {
  readonly #options: EngineOptions;
  readonly #children = new ChildTable();
  readonly #touched = new Set<InstalledChild>();
  readonly #drops: Record<DropReason, number> = { ...NO_DROPS };
  readonly #inner: InnerPacket;
  #past = NO_TRAFFIC;
  #settings: UserspaceSettings;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#settings = options;
    this.#inner = new InnerPacket(options.arena);
  }

  configure(settings: UserspaceSettings): void {
    this.#settings = settings;
  }

  /** @throws Error when an order names an algorithm or key size that was never negotiable. */
  order(order: DataplaneOrder): void {
    if (order.order === 'install') this.#install(order);
    else if (order.order === 'remove') this.#remove(order.spiIn);
    else this.#move(order);
  }

  /** Takes an ESP packet off the wire, SPI first, without UDP header. Answers why it was dropped; never throws for what a packet holds. */
  receive(at: number, length: number, origin: Origin): DropReason | undefined {
    return this.#count(this.#receive(at, length, origin));
  }

  /** Takes an inner packet that is to leave by the child that carries it; it has head and tailroom. */
  transmit(at: number, length: number): DropReason | undefined {
    return this.#count(this.#inner.parse(at, length) ? this.#transmit() : 'malformed');
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

  stats(): DataplaneStats {
    const children = Array.from(this.#children, (child) => child.traffic());
    return { children, totals: children.reduce(plus, this.#past), drops: this.drops() };
  }

  drops(): Readonly<Record<DropReason, number>> {
    return { ...this.#drops };
  }

  traffic(spiIn: number): ChildTraffic | undefined {
    return this.#children.bySpi(spiIn)?.traffic();
  }

  /** Forgets all children and their keys. */
  close(): void {
    this.#past = this.stats().totals;
    for (const child of this.#children) child.free();
    this.#children.clear();
    this.#touched.clear();
  }

  #receive(at: number, length: number, origin: Origin): DropReason | undefined {
    const { arena } = this.#options;
    if (length < ESP_HEADER) return 'malformed';
    const child = this.#children.bySpi(arena.view.getUint32(at));
    if (!child) return 'unknown-spi';
    const dropped = child.open(arena, at, length, origin, this.#inner);
    this.#touched.add(child);
    return dropped ?? this.#route();
  }

  #route(): DropReason | undefined {
    const { forward, deliver } = this.#options;
    if (this.#isOurs()) {
      const answer = answerEcho(this.#inner);
      if (answer) return this.#answer(answer);
    } else if (forward) {
      const to = this.#children.carrying(this.#inner);
      if (to) return this.#settings.isolatePeers ? 'isolated' : this.#forward(to);
    }
    if (!deliver) return 'undeliverable';
    deliver(this.#inner.at, this.#inner.length);
    return undefined;
  }

  #isOurs(): boolean {
    const { arena, addressLength, destinationAt } = this.#inner;
    for (const own of this.#settings.ownAddresses)
      if (own.length === addressLength && compareAt(own, arena.bytes, destinationAt) === 0) return true;
    return false;
  }

  #answer(answer: Bytes): undefined {
    const at = this.#options.room(answer.length);
    this.#options.arena.bytes.set(answer, at);
    // An answer that cannot leave is counted by itself: the request did arrive.
    this.transmit(at, answer.length);
  }

  /** From one peer to another (hairpin), as a router does. */
  #forward(to: InstalledChild): DropReason | undefined {
    if (!takeHop(this.#inner)) return 'hop-limit';
    const { at, length } = this.#inner;
    const elsewhere = this.#options.room(length);
    this.#options.arena.bytes.copyWithin(elsewhere, at, at + length);
    this.#inner.at = elsewhere;
    return this.#send(to);
  }

  #transmit(): DropReason | undefined {
    const child = this.#children.carrying(this.#inner);
    return child ? this.#send(child) : 'no-child';
  }

  #send(child: InstalledChild): DropReason | undefined {
    const sealed = child.seal(this.#inner, this.#settings.lifetimeBytes);
    this.#touched.add(child);
    if (typeof sealed === 'string') return sealed;
    this.#options.send(this.#inner.at - child.head, sealed, child.child.path);
    return undefined;
  }

  #install({ child, sendsAfter }: InstallOrder): void {
    const before = this.#children.bySpi(child.spiIn);
    // The same keys once more: sequence numbers go on, since an IV of an AEAD must never come twice (RFC 4106 §3.1).
    if (before?.hasKeysOf(child)) {
      this.#children.remove(child.spiIn);
      before.child = child;
      this.#children.add(before, before.sends ? undefined : sendsAfter);
      return;
    }
    const { ciphers, replayWindow = REPLAY_WINDOW } = this.#options;
    const installed = new InstalledChild(child, ciphers, replayWindow, resumed(child.sequences));
    this.#remove(child.spiIn);
    this.#children.add(installed, sendsAfter);
  }

  #move({ spiIn, path, encapsulated }: { spiIn: number; path: ChildSa['path']; encapsulated: boolean }): void {
    const moved = this.#children.bySpi(spiIn);
    if (moved) moved.child = { ...moved.child, path, encapsulated };
  }

  #remove(spiIn: number): void {
    const child = this.#children.bySpi(spiIn);
    if (!child) return;
    this.#past = plus(this.#past, child.traffic());
    this.#touched.delete(child);
    this.#children.remove(spiIn);
    child.free();
  }

  #count(dropped: DropReason | undefined): DropReason | undefined {
    if (dropped) this.#drops[dropped]++;
    return dropped;
  }
}
