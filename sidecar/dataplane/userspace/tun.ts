/** A TUN device of Linux: inner packets come from it and go to it as they come from and go to any interface. */
import { closeSync, constants, openSync } from 'node:fs';
import type { Bytes } from '../../ike/wire/bytes.ts';
import { configureInterface, type TunInterface } from './tun-interface.ts';
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
  const { name, device = '/dev/net/tun' } = options;
  if (process.platform !== 'linux') throw new Error(`${device}: TUN devices are supported on Linux only`);
  if (!/^[^\s/]{1,15}$/.test(name))
    throw new Error(`not the name of an interface: "${name}"; write 1 to 15 characters without space and slash`);
  const syscalls = await loadTunSyscalls();
  const fd = openDevice(device);
  if (syscalls.attach(fd, name) < 0) {
    const reason = syscalls.errno();
    closeSync(fd);
    throw new Error(`${device}: cannot create the interface ${name}: ${attachRemedy(reason)}`);
  }
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
  readonly #buffer = new Uint8Array(LONGEST_PACKET);
  readonly #closed = Promise.withResolvers<void>();
  #closing = false;

  constructor(fd: number, syscalls: TunSyscalls, options: TunOptions) {
    this.#fd = fd;
    this.#syscalls = syscalls;
    this.#options = options;
    this.#wakeup = syscalls.eventfd();
    this.#wait();
  }

  /** Hands an inner packet to the kernel. False: it did not take it (no room, not an IP packet, interface down). */
  write(inner: Bytes): boolean {
    return !this.#closing && this.#syscalls.write(this.#fd, inner) === inner.length;
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
      this.#options.receive(this.#buffer.slice(0, length));
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

function openDevice(device: string): number {
  try {
    return openSync(device, constants.O_RDWR | constants.O_NONBLOCK);
  } catch (error) {
    throw new Error(`${device}: ${openRemedy(error)}`, { cause: error });
  }
}

function openRemedy(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (code) {
    case 'ENOENT':
    case 'ENODEV':
    case 'ENXIO':
      return 'there is no TUN device; load the kernel module (modprobe tun), in a container mount /dev/net/tun, or run without TUN';
    case 'EACCES':
    case 'EPERM':
      return 'no permission to open it; run as root, in a container allow the device and add the capability NET_ADMIN, or run without TUN';
    default:
      return error instanceof Error ? error.message : String(error);
  }
}

function attachRemedy(reason: string): string {
  switch (reason) {
    case 'EPERM':
      return 'not permitted; run as root or add the capability NET_ADMIN, or run without TUN';
    case 'EBUSY':
      return 'another program uses an interface of this name; choose another name or end that program';
    case 'EINVAL':
      return 'there is an interface of this name that is no TUN device; choose another name';
    case 'ENOTTY':
      return 'it is no TUN device; the usual one is /dev/net/tun';
    default:
      return reason;
  }
}
