/** What stands where in the memory of the thread: places for packets, and the structures that system calls take. */
import { HEADROOM, TAILROOM } from '../userspace/arena.ts';
import type { NativeArena } from './native.ts';

/** Packets that are worked on before any of them must have left; datagrams in one system call. */
export const BATCH = 64;
/** The longest datagram, or several of one flow that the kernel put together (UDP_GRO). */
export const LONGEST = 65_536;
/** A multiple of 32, but no power of 2, lest the beginnings of all packets compete for the same lines of the cache. */
const PLACE = HEADROOM + LONGEST + TAILROOM + 1024;

/** struct mmsghdr, struct iovec, control data of one option, struct sockaddr_in6 rounded up. */
export const HEADER_BYTES = 64;
export const VECTOR_BYTES = 16;
export const CONTROL_BYTES = 24;
export const NAME_BYTES = 32;
export const POLL_BYTES = 8;
/** Endpoints of peers that were sent to of late. */
export const NAMES = 4096;

/** In struct mmsghdr. */
export const Header = {
  NAME: 0,
  NAME_LENGTH: 8,
  VECTORS: 16,
  VECTOR_COUNT: 24,
  CONTROL: 32,
  CONTROL_LENGTH: 40,
  LENGTH: 56,
} as const;

/** Hands out parts of a memory, one after the other. */
export class Layout {
  #size = 0;

  /** Where the next `bytes` are. */
  take(bytes: number): number {
    const at = this.#size;
    this.#size += Math.ceil(bytes / 64) * 64;
    return at;
  }

  /** For packets, each with head and tailroom. */
  takePlaces(count = BATCH): number {
    return this.take(count * PLACE);
  }

  get size(): number {
    return this.#size;
  }
}

/** Where the `index`th packet of such a batch stands. */
export const placeOf = (places: number, index: number): number => places + index * PLACE + HEADROOM;

/** Writes where something in the arena is, as C wants to know it. */
export function setAddress({ view, base }: NativeArena, at: number, what: number): void {
  const address = base + what;
  view.setUint32(at, address, true);
  view.setUint32(at + 4, address / 0x1_0000_0000, true);
}
