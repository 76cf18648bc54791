/** In place of a TUN device, which takes rights: a pair of sockets that keep packets apart, one end for the data plane. */
import { closeSync } from 'node:fs';
import koffi from 'koffi';
import type { Bytes } from '../../../sidecar/ike/wire/bytes.ts';

const libc = koffi.load(null);
const socketpair = libc.func('int socketpair(int domain, int type, int protocol, _Out_ int *pair)');
const read = libc.func('intptr_t read(int fd, _Out_ void *into, size_t length)');
const write = libc.func('intptr_t write(int fd, void *from, size_t length)');
const AF_UNIX = 1;
const SEQPACKET_NONBLOCK = 5 | 0o4000;
const PATIENCE_MS = 5_000;

export class PacketPipe {
  /** The end that acts as the device. */
  readonly fd: number;
  readonly #fd: number;

  constructor() {
    const pair = [0, 0];
    if (socketpair(AF_UNIX, SEQPACKET_NONBLOCK, 0, pair) !== 0) throw new Error('no pair of sockets');
    [this.fd = -1, this.#fd = -1] = pair;
  }

  /** As if the kernel routed it into the tunnel. */
  write(packet: Bytes): void {
    write(this.#fd, packet, packet.length);
  }

  /** The next packet that was delivered. */
  async next(): Promise<Bytes> {
    for (const deadline = performance.now() + PATIENCE_MS; performance.now() < deadline; ) {
      const packet = this.take();
      if (packet) return packet;
      await new Promise((resolve) => setImmediate(resolve));
    }
    throw new Error('no packet was delivered');
  }

  /** One that was delivered by now. */
  take(): Bytes | undefined {
    const bytes = new Uint8Array(65_536);
    const length = read(this.#fd, bytes, bytes.length);
    return length > 0 ? bytes.slice(0, length) : undefined;
  }

  /** As if somebody removed the device. */
  vanish(): void {
    closeSync(this.#fd);
  }

  close(): void {
    closeSync(this.fd);
    closeSync(this.#fd);
  }
}
