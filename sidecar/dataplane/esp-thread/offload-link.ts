/** Inner packets of a TUN device with IFF_VNET_HDR: dozens of TCP segments in one system call. */
import type { InnerLink, LeavingPlaces } from './inner-link.ts';
import { LONGEST } from './layout.ts';
import type { NativeArena } from './native.ts';
import { takeApart } from './segments-apart.ts';
import { SegmentsTogether } from './segments-together.ts';
import type { TunDescriptor } from './tun-descriptor.ts';
import { VIRTIO_HEADER } from './virtio-header.ts';

/** Each may be as long as forty packets. */
const MOST_READS = 16;

export class OffloadLink implements InnerLink {
  readonly fd: number;
  readonly #tun: TunDescriptor;
  readonly #arena: NativeArena;
  readonly #reading: number;
  readonly #together: SegmentsTogether;

  /** `reading`: a place for what is read; `growing`: places for streams that are put together. */
  constructor(tun: TunDescriptor, arena: NativeArena, reading: number, growing: readonly number[]) {
    this.fd = tun.fd;
    this.#tun = tun;
    this.#arena = arena;
    this.#reading = reading;
    this.#together = new SegmentsTogether(arena, growing, (header, length) => tun.write(header, length));
  }

  depart(places: LeavingPlaces, take: (at: number, length: number) => void): number {
    const header = this.#reading - VIRTIO_HEADER;
    let reads = 0;
    for (; reads < MOST_READS; reads++) {
      const length = this.#tun.read(header, VIRTIO_HEADER + LONGEST);
      if (length === 0) break;
      if (length > VIRTIO_HEADER) takeApart(this.#arena, header, this.#reading, length - VIRTIO_HEADER, places, take);
    }
    return reads;
  }

  deliver(at: number, length: number): void {
    this.#together.put(at, length);
  }

  flush(): void {
    this.#together.flush();
  }
}
