/** Memory that packets stand in while they are worked on: none of them is copied or allocated for. */
import type { Bytes } from '../../ike/wire/bytes.ts';

export interface Arena {
  readonly bytes: Bytes;
  /** Of the same memory. */
  readonly view: DataView;
}

/** Room before a packet for what may come to stand there: SPI, sequence number and the longest IV. */
export const HEADROOM = 32;
/** Room after one: padding to a block, its length, next header, and the longest ICV. */
export const TAILROOM = 64;

export const arenaOf = (bytes: Bytes): Arena => ({
  bytes,
  view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
});
