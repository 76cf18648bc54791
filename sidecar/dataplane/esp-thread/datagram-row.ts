/** The structures for a batch of datagrams one way (struct mmsghdr and what it points to), where they stand in the arena. */
import { BATCH, CONTROL_BYTES, HEADER_BYTES, Header, NAME_BYTES, setAddress, VECTOR_BYTES } from './layout.ts';
import type { NativeArena } from './native.ts';

export const SOL_UDP = 17;
export const UDP_SEGMENT = 103;
export const UDP_GRO = 104;
/** struct cmsghdr before its data. */
export const CONTROL_HEADER = 16;

/** Bytes for one direction of a socket: headers, names, vectors (for each header as many as there may be packets), control data. */
export const ROW_BYTES = BATCH * (HEADER_BYTES + NAME_BYTES + CONTROL_BYTES) + BATCH * BATCH * VECTOR_BYTES;

/** A batch of struct mmsghdr, and what they point to. */
export class DatagramRow {
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
