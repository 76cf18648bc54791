/** The gateway's UDP sockets: plain IKE on one port (RFC 7296 §2), IKE behind the non-ESP marker and ESP on the other (RFC 3948 §2, RFC 7296 §2.23). */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import type { EspSocket } from '../dataplane/esp-thread/esp-thread.ts';
import type { Path } from '../ike/sa.ts';
import type { Bytes } from '../ike/wire/bytes.ts';
import { bindFailure } from '../process/listening.ts';
import { formatEndpoint, splitEndpoint } from './endpoint.ts';
import { type Source, socketAddress } from './socket-address.ts';
import { type Datagram, LARGEST_BATCH, loadUdpBatches, type UdpBatches } from './udp-batches.ts';

export interface UdpOptions {
  /** Of this machine; no wildcards, so that every path knows its local end (RFC 7296 §2.23 hashes it) and an answer leaves from where the question went to. */
  readonly addresses: readonly string[];
  readonly ikePort: number;
  readonly natPort: number;
  /** ESP is read elsewhere, from sockets of its own on the NAT port, where the platform has that. */
  readonly espApart?: boolean;
}

export interface UdpReceiver {
  readonly onIke: (bytes: Bytes, path: Path) => void;
  readonly onEsp: (bytes: Bytes, path: Path) => void;
}

/** Why a datagram went no further than the socket; the label of a metric. */
export type UdpDropReason =
  | 'not-ready' // nobody receives yet; whoever wants an answer sends again
  | 'source-port-zero' // RFC 768 lets a sender give none, and nothing can be sent there
  | 'source-scoped'; // fe80::1%eth0: only with the interface is it an address, and no path has one

/** What happened on the sockets since they were bound. */
export interface UdpCounts {
  readonly received: number;
  readonly sent: number;
  /** By errno name; `NO_SOCKET`: a path whose local end is none of ours. */
  readonly failed: Readonly<Record<string, number>>;
  readonly dropped: Readonly<Record<UdpDropReason, number>>;
}

const MARKER_LENGTH = 4;
/** RFC 3948 §2.3: one byte 0xFF keeps a NAT's mapping and means nothing else. */
const KEEPALIVE_LENGTH = 1;
/** Room for the burst of clients that come back at once when another pod has died. */
const BUFFER_BYTES = 4 * 1024 * 1024;

/** A flood must let timers and other sockets have their turn. */
const MOST_AT_ONCE = 4 * LARGEST_BATCH;
/** Socket addresses of peers that were sent to of late. */
const MOST_ADDRESSES = 4_096;

interface BoundSocket {
  readonly socket: Socket;
  /** With batches. */
  readonly fd: number | undefined;
  /** Of the socket that the kernel hands ESP to, which is read elsewhere. */
  esp: number | undefined;
  /** What leaves at the end of this turn. */
  readonly queue: Datagram[];
  readonly local: string;
  readonly nat: boolean;
  readonly ipv6: boolean;
}

/** Takes the ports; what comes is dropped until someone receives. @throws Error that names the port and the remedy; nothing stays bound then. */
export async function bindUdp(options: UdpOptions, loadBatches = loadUdpBatches): Promise<Udp> {
  const wanted = options.addresses.flatMap((address) => [
    { address, port: options.ikePort, nat: false },
    { address, port: options.natPort, nat: true },
  ]);
  const batches = await loadBatches();
  const { espApart = false } = options;
  const results = await Promise.allSettled(
    wanted.map(({ address, port, nat }) => bind(address, port, { nat, espApart: nat && espApart }, batches)),
  );
  const bound = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) {
    for (const { socket, esp } of bound) {
      socket.close();
      if (esp !== undefined) closeSync(esp);
    }
    throw failed.reason;
  }
  return new Udp(bound, batches);
}

async function bind(
  address: string,
  port: number,
  { nat, espApart }: { readonly nat: boolean; readonly espApart: boolean },
  batches: UdpBatches | undefined,
): Promise<BoundSocket> {
  const ipv6 = isIPv6(address);
  const socket = createSocket({
    type: ipv6 ? 'udp6' : 'udp4',
    ipv6Only: ipv6,
    recvBufferSize: BUFFER_BYTES,
    sendBufferSize: BUFFER_BYTES,
    // Destinations are addresses already.
    lookup: (host, _, done) => done(null, host, ipv6 ? 6 : 4),
  });
  let pair: { readonly fd: number; readonly esp?: number } | undefined;
  try {
    pair = (espApart && batches?.openPair(address, port, BUFFER_BYTES)) || (batches && { fd: batches.open(address, port) });
    // Without a lookup that waits, binding may be done within the call.
    const listening = once(socket, 'listening');
    socket.bind({ ...(pair ? { fd: pair.fd } : { address, port }), exclusive: true });
    await listening;
  } catch (cause) {
    socket.close();
    if (pair?.esp !== undefined) closeSync(pair.esp);
    throw new Error(bindFailure('UDP', address, port, cause), { cause });
  }
  const local = formatEndpoint(address, socket.address().port);
  return { socket, fd: pair?.fd, esp: pair?.esp, queue: [], local, nat, ipv6 };
}

export class Udp {
  readonly #bound: readonly BoundSocket[];
  readonly #byLocal: ReadonlyMap<string, BoundSocket>;
  readonly #batches: UdpBatches | undefined;
  readonly #addresses = new Map<string, Bytes>();
  readonly #failed: Record<string, number> = {};
  readonly #dropped: Record<UdpDropReason, number> = { 'not-ready': 0, 'source-port-zero': 0, 'source-scoped': 0 };
  #receiver: UdpReceiver | undefined;
  #received = 0;
  #sent = 0;
  #closed = false;
  #leaving = 0;
  #left: (() => void) | undefined;

  constructor(bound: readonly BoundSocket[], batches: UdpBatches | undefined) {
    this.#bound = bound;
    this.#batches = batches;
    this.#byLocal = new Map(bound.map((one) => [one.local, one]));
    for (const one of bound) this.#listen(one);
  }

  /** From now on. Once all that a datagram may need is there. */
  receive(receiver: UdpReceiver): void {
    this.#receiver = receiver;
  }

  /** Local endpoints, `192.0.2.1:500`. */
  get locals(): readonly { readonly local: string; readonly nat: boolean }[] {
    return this.#bound.map(({ local, nat }) => ({ local, nat }));
  }

  /** Sockets that the kernel hands ESP to, one beside each of the NAT port; undefined: ESP arrives here. To be read until this is closed, or `takeEsp` called. */
  get espSockets(): readonly EspSocket[] | undefined {
    const sockets = this.#bound
      .filter(({ nat }) => nat)
      .flatMap(({ esp, local }) => (esp === undefined ? [] : { fd: esp, local }));
    return sockets.length > 0 && sockets.length === this.#bound.filter(({ nat }) => nat).length ? sockets : undefined;
  }

  /** From now on ESP arrives here, too: nobody reads it elsewhere. */
  takeEsp(): void {
    for (const one of this.#bound) {
      if (one.esp !== undefined) closeSync(one.esp);
      one.esp = undefined;
    }
  }

  /** What the kernel granted, in bytes, of the socket that got least; Linux counts its own overhead in. */
  buffers(): { readonly receive: number; readonly send: number; readonly wanted: number } {
    const receive = Math.min(...this.#bound.map(({ socket }) => socket.getRecvBufferSize()));
    const send = Math.min(...this.#bound.map(({ socket }) => socket.getSendBufferSize()));
    return { receive, send, wanted: BUFFER_BYTES };
  }

  /** Of the sockets of the NAT port; undefined where Node keeps them to itself. They stay ours. */
  get natDescriptors(): readonly number[] | undefined {
    const nat = this.#bound.filter((one) => one.nat);
    const descriptors = nat.flatMap(({ fd }) => fd ?? []);
    return descriptors.length === nat.length ? descriptors : undefined;
  }

  counts(): UdpCounts {
    return { received: this.#received, sent: this.#sent, failed: { ...this.#failed }, dropped: { ...this.#dropped } };
  }

  sendIke(bytes: Bytes, path: Path): void {
    const from = this.#from(path);
    if (from) this.#send(from, from.nat ? marked(bytes) : bytes, path);
  }

  /** ESP leaves from the NAT port, whatever port the path names. */
  sendEsp(bytes: Bytes, path: Path): void {
    const from = this.#from(path);
    if (from) this.#send(from, bytes, path);
  }

  /** Done when what was sent before has left; what is sent from now on does not. Nobody may use the sockets for ESP any more. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#leaving > 0) await new Promise<void>((resolve) => (this.#left = resolve));
    this.takeEsp();
    await Promise.all(this.#bound.map(({ socket }) => new Promise<void>((resolve) => void socket.close(() => resolve()))));
  }

  /** An SA that came from another pod may still name that pod's address: then our own socket of the same port and version of IP serves. */
  #from(path: Path): BoundSocket | undefined {
    const exact = this.#byLocal.get(path.local);
    if (exact) return exact;
    const { address, port } = splitEndpoint(path.local);
    const like = this.#bound.find((one) => one.ipv6 === isIPv6(address) && splitEndpoint(one.local).port === port);
    if (!like) this.#fail('NO_SOCKET');
    return like;
  }

  #send(from: BoundSocket, bytes: Bytes, path: Path): void {
    if (this.#closed) return;
    this.#sent++;
    // A datagram that does not leave is like one that is lost on the way: whoever needs it sends it again.
    try {
      const to = this.#addressOf(path.remote);
      if (!to) this.#fail('ERR_SOCKET_BAD_PORT');
      else if (!this.#batches) this.#sendAlone(from, bytes, path);
      else this.#enqueue(from, { bytes, to });
    } catch (error) {
      // Of an address that is none; paths come from peers and siblings.
      this.#fail(codeOf(error));
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
    this.#batches?.send(fd, queue.splice(0), (code) => this.#fail(code));
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
    if (error) this.#fail(codeOf(error));
  }

  #fail(code: string): void {
    this.#failed[code] = (this.#failed[code] ?? 0) + 1;
  }

  #listen(bound: BoundSocket): void {
    bound.socket.on('error', (error) => this.#fail(codeOf(error)));
    bound.socket.on('message', (message, { address, port }) => {
      const bytes = new Uint8Array(message.buffer, message.byteOffset, message.length);
      this.#take(bound, bytes, { endpoint: formatEndpoint(address, port), port, scoped: address.includes('%') });
      this.#drain(bound);
    });
  }

  /** The event loop woke for the first one; the others cost less in batches. */
  #drain(bound: BoundSocket): void {
    const { fd } = bound;
    if (!this.#batches || fd === undefined) return;
    for (let taken = 0, count = LARGEST_BATCH; taken < MOST_AT_ONCE && count === LARGEST_BATCH && !this.#closed; taken += count)
      count = this.#batches.receive(fd, (bytes, source) => this.#take(bound, bytes, source));
  }

  #take({ local, nat }: BoundSocket, bytes: Bytes, source: Source): void {
    this.#received++;
    const refusal = refusalOf(source);
    if (refusal || !this.#receiver) {
      this.#dropped[refusal ?? 'not-ready']++;
      return;
    }
    const { onIke, onEsp } = this.#receiver;
    const path = { local, remote: source.endpoint };
    if (!nat) onIke(bytes, path);
    else if (isMarked(bytes)) onIke(bytes.subarray(MARKER_LENGTH), path);
    else if (bytes.length > KEEPALIVE_LENGTH) onEsp(bytes, path);
  }
}

/** Sources that no answer could reach. */
function refusalOf({ port, scoped }: Source): UdpDropReason | undefined {
  if (port === 0) return 'source-port-zero';
  return scoped ? 'source-scoped' : undefined;
}

const codeOf = (error: unknown): string =>
  error instanceof Error ? ('code' in error ? String(error.code) : error.name) : String(error);

/** RFC 3948 §2.2: four zero bytes, where ESP has an SPI, which is never zero. */
const isMarked = (bytes: Bytes): boolean =>
  bytes.length >= MARKER_LENGTH && bytes[0] === 0 && bytes[1] === 0 && bytes[2] === 0 && bytes[3] === 0;

function marked(bytes: Bytes): Bytes {
  const whole = new Uint8Array(MARKER_LENGTH + bytes.length);
  whole.set(bytes, MARKER_LENGTH);
  return whole;
}
