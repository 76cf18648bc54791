/** All installed children: by SPI for what arrives, by destination for what leaves (an SAD and an SPD cache, RFC 4301 §4.4). */
import type { Selector } from '../../contract/dataplane.ts';
import type { Bytes } from '../../ike/wire/bytes.ts';
import type { InnerPacket } from './inner-packet.ts';
import type { InstalledChild } from './installed-child.ts';
import { carriesOutbound, compare } from './selector.ts';

interface Range {
  readonly width: number;
  readonly length: number;
  readonly child: InstalledChild;
}

export class ChildTable {
  readonly #bySpi = new Map<number, InstalledChild>();
  /** Children whose peer has this one address, the newest first: the usual client of a gateway. */
  readonly #hosts = new Map<number | string, readonly InstalledChild[]>();
  /** Children whose peer has more than one address, the narrowest range first, of equals the newest. */
  #ranges: readonly Range[] = [];

  get size(): number {
    return this.#bySpi.size;
  }

  bySpi(spiIn: number): InstalledChild | undefined {
    return this.#bySpi.get(spiIn);
  }

  [Symbol.iterator](): Iterator<InstalledChild> {
    return this.#bySpi.values();
  }

  add(child: InstalledChild): void {
    this.#bySpi.set(child.child.spiIn, child);
    for (const selector of child.child.remote) {
      if (isHost(selector)) {
        const key = addressKey(selector.start);
        this.#hosts.set(key, [child, ...(this.#hosts.get(key) ?? []).filter((other) => other !== child)]);
      } else {
        this.#addRange({ width: widthOf(selector), length: selector.start.length, child });
      }
    }
  }

  remove(spiIn: number): void {
    const child = this.#bySpi.get(spiIn);
    if (!child) return;
    this.#bySpi.delete(spiIn);
    this.#ranges = this.#ranges.filter((range) => range.child !== child);
    for (const selector of child.child.remote) if (isHost(selector)) this.#removeHost(addressKey(selector.start), child);
  }

  clear(): void {
    this.#bySpi.clear();
    this.#hosts.clear();
    this.#ranges = [];
  }

  /** The child that carries a packet: one for this very address before any range, of equals the one installed last (after a rekey: the new one). */
  carrying(packet: InnerPacket): InstalledChild | undefined {
    const hosts = this.#hosts.get(addressKey(packet.destination));
    if (hosts) for (const child of hosts) if (carriesOutbound(child.child, packet)) return child;
    for (const { length, child } of this.#ranges) {
      if (length === packet.destination.length && carriesOutbound(child.child, packet)) return child;
    }
    return undefined;
  }

  #addRange(range: Range): void {
    const at = this.#ranges.findIndex((other) => other.width >= range.width);
    this.#ranges = this.#ranges.toSpliced(at < 0 ? this.#ranges.length : at, 0, range);
  }

  #removeHost(key: number | string, child: InstalledChild): void {
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

/** A number for IPv4, a string for IPv6: never equal across the two. */
function addressKey(address: Bytes): number | string {
  const view = new DataView(address.buffer, address.byteOffset, address.byteLength);
  if (address.length === 4) return view.getUint32(0);
  let key = '';
  for (let at = 0; at + 4 <= address.length; at += 4) key += `${view.getUint32(at)}.`;
  return key;
}
