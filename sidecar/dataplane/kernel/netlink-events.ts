/** What the kernel tells by itself, over a netlink socket that has joined multicast groups. */
import { decodeMessages, type Message } from './netlink-message.ts';
import type { NetlinkSyscalls } from './netlink-syscalls.ts';

export interface EventObserver {
  readonly message: (message: Message) => void;
  /** Some were lost: there was no room left. */
  readonly overrun: () => void;
  readonly failed: (error: Error) => void;
}

const RECEIVE_BUFFER = 8 << 20;
const DATAGRAM_BYTES = 64 * 1024;
/** Datagrams that are read before others get their turn. */
const AT_ONCE = 256;

export class NetlinkEvents {
  readonly #system: NetlinkSyscalls;
  readonly #observer: EventObserver;
  readonly #fd: number;
  readonly #into = new Uint8Array(new ArrayBuffer(DATAGRAM_BYTES));
  readonly #watch: { close(): void };
  #open = true;

  /** @throws Error that names the remedy. */
  constructor(system: NetlinkSyscalls, protocol: number, groups: readonly number[], observer: EventObserver) {
    this.#system = system;
    this.#observer = observer;
    this.#fd = system.open(protocol, RECEIVE_BUFFER, groups);
    this.#watch = system.watch(this.#fd, () => this.#read(AT_ONCE));
  }

  /** Reads all that has come up to now. */
  drain(): void {
    this.#read(Number.POSITIVE_INFINITY);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#watch.close();
    this.#system.close(this.#fd);
  }

  #read(most: number): void {
    for (let count = 0; count < most && this.#open; count++) {
      const length = this.#system.receive(this.#fd, this.#into);
      if (length >= 0) {
        for (const message of decodeMessages(this.#into.subarray(0, length))) this.#observer.message(message);
        continue;
      }
      const code = this.#system.errno();
      if (code === 'EAGAIN') break;
      if (code === 'ENOBUFS') this.#observer.overrun();
      else if (code !== 'EINTR') this.#fail(code);
    }
  }

  #fail(code: string): void {
    this.close();
    this.#observer.failed(new Error(`the netlink socket for the kernel's events is gone: ${code}`));
  }
}
