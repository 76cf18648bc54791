/** A TUN device of Linux: inner packets come from it and go to it as they come from and go to any interface. */
import { closeSync } from 'node:fs';
import { type Bytes, concat } from '../../ike/wire/bytes.ts';
import { configureInterface, type TunInterface } from './tun-interface.ts';
import { openQueue } from './tun-queue.ts';
import { loadTunSyscalls, type TunSyscalls } from './tun-syscalls.ts';

export interface TunOptions extends TunInterface {
  /** Takes what the kernel routes into the tunnel. */
  readonly receive: (inner: Bytes) => void;
  /** The device went away; it reads no more and wants to be closed. */
  readonly failed: (error: Error) => void;
  /** Default: /dev/net/tun. */
  readonly device?: string;
}

const LONGEST_PACKET = 65_535;
/** So many packets are read before the event loop gets its turn. */
const BATCH = 64;
/** How long a closing process may wait for a thread that polls. */
const POLL_MS = 1000;

/** Creates the interface, up and with addresses and routes; it lives as long as it is open. @throws Error that names the remedy. */
export async function openTun(options: TunOptions): Promise<Tun> {
  const syscalls = await loadTunSyscalls();
  const fd = openQueue(syscalls, options.name, 'single-queue', options.device);
  const tun = new Tun(fd, syscalls, options);
  try {
    await configureInterface(options);
  } catch (error) {
    await tun.close();
    throw error;
  }
  return tun;
}

export class Tun {
  readonly #fd: number;
  readonly #wakeup: number;
  readonly #syscalls: TunSyscalls;
  readonly #options: TunOptions;
  /** Bytes before each packet. */
  readonly #header: number;
  readonly #buffer: Bytes;
  readonly #closed = Promise.withResolvers<void>();
  #closing = false;

  constructor(fd: number, syscalls: TunSyscalls, options: TunOptions) {
    this.#fd = fd;
    this.#syscalls = syscalls;
    this.#options = options;
    this.#header = syscalls.headerOf(fd);
    this.#buffer = new Uint8Array(this.#header + LONGEST_PACKET);
    this.#wakeup = syscalls.eventfd();
    this.#wait();
  }

  /** Hands an inner packet to the kernel. False: it did not take it (no room, not an IP packet, interface down). */
  write(inner: Bytes): boolean {
    if (this.#closing) return false;
    const bytes = this.#header === 0 ? inner : concat(new Uint8Array(this.#header), inner);
    return this.#syscalls.write(this.#fd, bytes) === bytes.length;
  }

  /** Done when the descriptors are closed and the interface is gone. */
  close(): Promise<void> {
    if (!this.#closing) this.#syscalls.wake(this.#wakeup);
    this.#closing = true;
    return this.#closed.promise;
  }

  // Node cannot watch a character device in its event loop and a blocking read holds a thread for ever, so a thread of the pool polls and this one reads.
  #wait(): void {
    this.#syscalls.whenReadable(this.#fd, this.#wakeup, POLL_MS, () => this.#drain());
  }

  #drain(): void {
    for (let packets = 0; !this.#closing; packets++) {
      if (packets === BATCH) {
        setImmediate(() => this.#drain());
        return;
      }
      const length = this.#syscalls.read(this.#fd, this.#buffer);
      if (length < 0) {
        this.#pause(this.#syscalls.errno());
        return;
      }
      if (length > this.#header) this.#options.receive(this.#buffer.slice(this.#header, length));
    }
    this.#finish();
  }

  #pause(reason: string): void {
    if (reason === 'EAGAIN' || reason === 'EINTR') this.#wait();
    else {
      this.#closing = true;
      this.#finish();
      this.#options.failed(
        new Error(`interface ${this.#options.name}: reading failed with ${reason}; was it removed or set down?`),
      );
    }
  }

  #finish(): void {
    closeSync(this.#fd);
    closeSync(this.#wakeup);
    this.#closed.resolve();
  }
}
