/** All installed children: by SPI for what arrives, by destination for what leaves (an SAD and an SPD cache, RFC 4301 §4.4). */
import type { Selector } from '../../contract/dataplane.ts';
import { type Arena, arenaOf } from './arena.ts';
import type { InnerPacket } from './inner-packet.ts';
import type { InstalledChild } from './installed-child.ts';
import { carriesOutbound, compare } from './selector.ts';

interface Range {
  readonly width: number;
  readonly length: number;
  readonly child: InstalledChild;
}

export class ChildTable {
  /** Keys are signed: small integers to the engine, which looks them up for every packet. */
  readonly #bySpi = new Map<number, InstalledChild>();
  /** Children whose peer has this one address, the newest first: the usual client of a gateway. */
  readonly #hosts = new Map<number, readonly InstalledChild[]>();
  /** Children whose peer has more than one address, the narrowest range first, of equals the newest. */
  #ranges: readonly Range[] = [];
  /** By the inbound SPI of a child that still sends, the one that is to send after it. */
  readonly #successors = new Map<number, InstalledChild>();

  get size(): number {
    return this.#bySpi.size;
  }

  bySpi(spiIn: number): InstalledChild | undefined {
    return this.#bySpi.get(spiIn | 0);
  }

  [Symbol.iterator](): Iterator<InstalledChild> {
    return this.#bySpi.values();
  }

  /** `sendsAfter`: the inbound SPI of the child that goes on sending until it is removed or the peer has used this one. */
  add(child: InstalledChild, sendsAfter?: number): void {
    child.sends = sendsAfter === undefined || !this.bySpi(sendsAfter);
    if (sendsAfter !== undefined && !child.sends) this.#successors.set(sendsAfter, child);
    this.#bySpi.set(child.child.spiIn | 0, child);
    for (const selector of child.child.remote) {
      if (isHost(selector)) {
        const key = addressKey(arenaOf(selector.start), 0, selector.start.length);
        this.#hosts.set(key, [child, ...(this.#hosts.get(key) ?? []).filter((other) => other !== child)]);
      } else {
        this.#addRange({ width: widthOf(selector), length: selector.start.length, child });
      }
    }
  }

  remove(spiIn: number): void {
    const child = this.#bySpi.get(spiIn | 0);
    if (!child) return;
    this.#bySpi.delete(spiIn | 0);
    this.#ranges = this.#ranges.filter((range) => range.child !== child);
    const successor = this.#successors.get(spiIn);
    if (successor) successor.sends = true;
    this.#successors.delete(spiIn);
    for (const selector of child.child.remote)
      if (isHost(selector)) this.#removeHost(addressKey(arenaOf(selector.start), 0, selector.start.length), child);
  }

  clear(): void {
    this.#bySpi.clear();
    this.#hosts.clear();
    this.#successors.clear();
    this.#ranges = [];
  }

  /** The child that carries a packet: one for this very address before any range, of equals the one installed last that may send. */
  carrying(packet: InnerPacket): InstalledChild | undefined {
    const hosts = this.#hosts.get(addressKey(packet.arena, packet.destinationAt, packet.addressLength));
    if (hosts) for (const child of hosts) if (child.sends && carriesOutbound(child.child, packet)) return child;
    for (const { length, child } of this.#ranges)
      if (length === packet.addressLength && child.sends && carriesOutbound(child.child, packet)) return child;
    return undefined;
  }

  #addRange(range: Range): void {
    const at = this.#ranges.findIndex((other) => other.width >= range.width);
    this.#ranges = this.#ranges.toSpliced(at < 0 ? this.#ranges.length : at, 0, range);
  }

  #removeHost(key: number, child: InstalledChild): void {
    const left = (this.#hosts.get(key) ?? []).filter((other) => other !== child);
    if (left.length > 0) this.#hosts.set(key, left);
    else this.#hosts.delete(key);
  }
}

const isHost = ({ start, end }: Selector): boolean => start.length === end.length && compare(start, end) === 0;

/** How many addresses, as nearly as a number can hold it. */
function widthOf({ start, end }: Selector): number {
  let width = 0;
  for (let at = 0; at < end.length; at++) width = width * 256 + (end[at] ?? 0) - (start[at] ?? 0);
  return width;
}

/** Of an address of `length` bytes. Others may have the same: selectors decide. A small integer, for which nothing is allocated. */
function addressKey({ view }: Arena, at: number, length: number): number {
  let key = length;
  for (let word = 0; word < length; word += 4) key = Math.imul(key ^ view.getInt32(at + word), 0x9e37_79b1);
  return key;
}
