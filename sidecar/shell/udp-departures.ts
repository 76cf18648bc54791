/** Datagrams on their way out: in batches where the platform has them, one by one where not. */
import type { Path } from '../ike/sa.ts';
import type { Bytes } from '../ike/wire/bytes.ts';
import type { BoundSocket } from './bound-socket.ts';
import { splitEndpoint } from './endpoint.ts';
import { socketAddress } from './socket-address.ts';
import { type Datagram, LARGEST_BATCH, type UdpBatches } from './udp-batches.ts';

/** Socket addresses of peers that were sent to of late. */
const MOST_ADDRESSES = 4_096;

export class UdpDepartures {
  readonly #batches: UdpBatches | undefined;
  readonly #addresses = new Map<string, Bytes>();
  readonly #failed: Record<string, number> = {};
  #sent = 0;
  #closed = false;
  #leaving = 0;
  #left: (() => void) | undefined;

  constructor(batches: UdpBatches | undefined) {
    this.#batches = batches;
  }

  counts(): { readonly sent: number; readonly failed: Readonly<Record<string, number>> } {
    return { sent: this.#sent, failed: { ...this.#failed } };
  }

  send(from: BoundSocket, bytes: Bytes, path: Path): void {
    if (this.#closed) return;
    this.#sent++;
    // A datagram that does not leave is like one that is lost on the way: whoever needs it sends it again.
    try {
      const to = this.#addressOf(path.remote);
      if (!to) this.fail('ERR_SOCKET_BAD_PORT');
      else if (!this.#batches) this.#sendAlone(from, bytes, path);
      else this.#enqueue(from, { bytes, to });
    } catch (error) {
      // Of an address that is none; paths come from peers and siblings.
      this.fail(codeOf(error));
    }
  }

  #enqueue(from: BoundSocket, datagram: Datagram): void {
    if (from.queue.length === 0) {
      this.#leaving++;
      setImmediate(() => {
        this.#flush(from);
        this.#leave(undefined);
      });
    }
    from.queue.push(datagram);
    if (from.queue.length >= LARGEST_BATCH) this.#flush(from);
  }

  #flush({ fd, queue }: BoundSocket): void {
    if (fd === undefined || queue.length === 0) return;
    this.#batches?.send(fd, queue.splice(0), (code) => this.fail(code));
  }

  #sendAlone({ socket }: BoundSocket, bytes: Bytes, path: Path): void {
    const { address, port } = splitEndpoint(path.remote);
    this.#leaving++;
    try {
      socket.send(bytes, port, address, (error) => this.#leave(error));
    } catch (error) {
      this.#leave(error);
    }
  }

  #addressOf(endpoint: string): Bytes | undefined {
    const known = this.#addresses.get(endpoint);
    if (known) return known;
    const address = socketAddress(endpoint);
    if (this.#addresses.size >= MOST_ADDRESSES) this.#addresses.clear();
    if (address) this.#addresses.set(endpoint, address);
    return address;
  }

  #leave(error: unknown): void {
    if (--this.#leaving === 0) this.#left?.();
    if (error) this.fail(codeOf(error));
  }

  /** By errno name. */
  fail(code: string): void {
    this.#failed[code] = (this.#failed[code] ?? 0) + 1;
  }

  /** Done when what was sent before has left; what is sent from now on does not. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#leaving > 0) await new Promise<void>((resolve) => (this.#left = resolve));
  }
}

export const codeOf = (error: unknown): string =>
  error instanceof Error ? ('code' in error ? String(error.code) : error.name) : String(error);
