/** The gateway's UDP sockets: plain IKE on one port (RFC 7296 §2), IKE behind the non-ESP marker and ESP on the other (RFC 3948 §2, RFC 7296 §2.23). */
import { isIPv6 } from 'node:net';
import type { EspSocket } from '../dataplane/esp-thread/esp-thread.ts';
import type { Path } from '../ike/sa.ts';
import type { Bytes } from '../ike/wire/bytes.ts';
import { type BoundSocket, BUFFER_BYTES, bindSocket, closeEsp } from './bound-socket.ts';
import { formatEndpoint, splitEndpoint } from './endpoint.ts';
import { isMarked, MARKER_LENGTH, marked } from './non-esp-marker.ts';
import type { Source } from './socket-address.ts';
import { LARGEST_BATCH, loadUdpBatches, type UdpBatches } from './udp-batches.ts';
import { codeOf, UdpDepartures } from './udp-departures.ts';

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

/** RFC 3948 §2.3: one byte 0xFF keeps a NAT's mapping and means nothing else. */
const KEEPALIVE_LENGTH = 1;
/** A flood must let timers and other sockets have their turn. */
const MOST_AT_ONCE = 4 * LARGEST_BATCH;

/** Takes the ports; what comes is dropped until someone receives. @throws Error that names the port and the remedy; nothing stays bound then. */
export async function bindUdp(options: UdpOptions, loadBatches = loadUdpBatches): Promise<Udp> {
  const wanted = options.addresses.flatMap((address) => [
    { address, port: options.ikePort, nat: false },
    { address, port: options.natPort, nat: true },
  ]);
  const batches = await loadBatches();
  const { espApart = false } = options;
  const results = await Promise.allSettled(
    wanted.map((port) => bindSocket({ ...port, espApart: port.nat && espApart }, batches)),
  );
  const bound = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) {
    for (const one of bound) {
      one.socket.close();
      closeEsp(one);
    }
    throw failed.reason;
  }
  return new Udp(bound, batches);
}

export class Udp {
  readonly #bound: readonly BoundSocket[];
  readonly #byLocal: ReadonlyMap<string, BoundSocket>;
  readonly #batches: UdpBatches | undefined;
  readonly #departures: UdpDepartures;
  readonly #dropped: Record<UdpDropReason, number> = { 'not-ready': 0, 'source-port-zero': 0, 'source-scoped': 0 };
  #receiver: UdpReceiver | undefined;
  #received = 0;
  #closed = false;

  constructor(bound: readonly BoundSocket[], batches: UdpBatches | undefined) {
    this.#bound = bound;
    this.#batches = batches;
    this.#departures = new UdpDepartures(batches);
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
    for (const one of this.#bound) closeEsp(one);
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
    return { received: this.#received, ...this.#departures.counts(), dropped: { ...this.#dropped } };
  }

  sendIke(bytes: Bytes, path: Path): void {
    const from = this.#from(path);
    if (from) this.#departures.send(from, from.nat ? marked(bytes) : bytes, path);
  }

  /** ESP leaves from the NAT port, whatever port the path names. */
  sendEsp(bytes: Bytes, path: Path): void {
    const from = this.#from(path);
    if (from) this.#departures.send(from, bytes, path);
  }

  /** Done when what was sent before has left; what is sent from now on does not. Nobody may use the sockets for ESP any more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#departures.close();
    this.takeEsp();
    await Promise.all(this.#bound.map(({ socket }) => new Promise<void>((resolve) => void socket.close(() => resolve()))));
  }

  /** An SA that came from another pod may still name that pod's address: then our own socket of the same port and version of IP serves. */
  #from(path: Path): BoundSocket | undefined {
    const exact = this.#byLocal.get(path.local);
    if (exact) return exact;
    const { address, port } = splitEndpoint(path.local);
    const like = this.#bound.find((one) => one.ipv6 === isIPv6(address) && splitEndpoint(one.local).port === port);
    if (!like) this.#departures.fail('NO_SOCKET');
    return like;
  }

  #listen(bound: BoundSocket): void {
    bound.socket.on('error', (error) => this.#departures.fail(codeOf(error)));
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
