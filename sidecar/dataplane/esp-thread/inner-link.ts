/** Inner packets from and to one queue of a TUN device, as the engine has them: one by one. */
import { BATCH, LONGEST } from './layout.ts';
import type { TunDescriptor } from './tun-descriptor.ts';

/** Where packets that leave stand until they have left. */
export interface LeavingPlaces {
  /** Where the next one may stand, with head and tailroom; it is the same one until a packet there is sent. */
  next(): number;
}

export interface InnerLink {
  readonly fd: number;
  /** Reads what waits, but not without end, and hands over each packet. Answers how many times there was something. @throws TunGone */
  depart(places: LeavingPlaces, take: (at: number, length: number) => void): number;
  /** Writes a packet, now or with others at the next `flush`. There are 16 bytes before it that nobody needs. */
  deliver(at: number, length: number): void;
  flush(): void;
}

/** Each packet by a system call of its own. */
export class PlainLink implements InnerLink {
  readonly fd: number;
  readonly #tun: TunDescriptor;

  constructor(tun: TunDescriptor) {
    this.fd = tun.fd;
    this.#tun = tun;
  }

  depart(places: LeavingPlaces, take: (at: number, length: number) => void): number {
    let packets = 0;
    for (; packets < BATCH; packets++) {
      const at = places.next();
      const length = this.#tun.read(at, LONGEST);
      if (length === 0) break;
      take(at, length);
    }
    return packets;
  }

  deliver(at: number, length: number): void {
    this.#tun.write(at, length);
  }

  flush(): void {}
}
