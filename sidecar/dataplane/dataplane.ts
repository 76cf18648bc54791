/** The `Dataplane` port: what moves packets, as the shells of gateway and client see it. */
import type { ChildSa, DataplaneOrder, DataplaneReport } from '../contract/dataplane.ts';
import type { Bytes } from '../ike/wire/bytes.ts';

/** Outer addresses of a packet, seen from here. */
export type Path = ChildSa['path'];

/** Why a packet was dropped; the label of a metric. */
export type DropReason =
  | 'unknown-spi' // inbound: no child has this SPI
  | 'malformed' // not ESP, or not an IP packet inside
  | 'replay' // inbound: seen before, or older than the window
  | 'authentication' // inbound: the integrity check failed
  | 'selector' // inbound: authentic, but not a packet that this child may carry
  | 'dummy' // inbound: traffic flow confidentiality, nothing is lost
  | 'no-child' // outbound: no child carries such a packet
  | 'exhausted' // outbound: the child is out of sequence numbers or bytes
  | 'hop-limit' // between two peers: came round too often
  | 'isolated' // from one peer to another, which are kept apart
  | 'undeliverable' // inbound: good, but nobody here takes it
  | 'past-kernel'; // inbound: it came to this process although the kernel carries ESP

/** Inner packets, and the bytes of these (RFC 4303 §3.1.2: the original IP packets), since something began to count. */
export interface Traffic {
  readonly packetsIn: number;
  readonly bytesIn: number;
  readonly packetsOut: number;
  readonly bytesOut: number;
}

export interface ChildTraffic extends Traffic {
  readonly spiIn: number;
}

/** `totals` and `drops` never fall; a removed child leaves `children`. */
export interface DataplaneStats {
  readonly children: readonly ChildTraffic[];
  readonly totals: Traffic;
  /** By DropReason, or by what another data plane calls its reasons. */
  readonly drops: Readonly<Record<string, number>>;
}

// biome-ignore lint/suspicious/noConfusingVoidType: most data planes answer nothing
export type LastTraffic = Traffic | void;

/** What a shell needs of a data plane, wherever the packets are: in this thread, in another, in the kernel. */
export interface Dataplane {
  /**
   * Carries out an order of the core. Where something else does the work the answer is a promise, fulfilled when it is done; orders stay in
   * order. What cannot be installed is reported as `lost`, and the promise is fulfilled all the same. Of a removal the answer is the last
   * word on what the child carried, where that comes to be known only then.
   * @throws Error when the order names an algorithm or key size that was never negotiable.
   */
  order(order: DataplaneOrder): LastTraffic | Promise<LastTraffic>;
  /** What happened since the last call; to be drained about once a second and handed to the core. */
  reports(): readonly DataplaneReport[];
  /** When fulfilled, `reports` holds all that happened before this call. Undefined: it does at once. */
  settle(): undefined | Promise<void>;
  stats(): DataplaneStats;
  /** Of one child, while it is installed. */
  traffic(spiIn: number): Traffic | undefined;
  /** Forgets all children and their keys; what arrives afterwards is dropped. */
  close(): void;
}

/** A data plane in the thread that reads the sockets. */
export interface PacketDataplane extends Dataplane {
  order(order: DataplaneOrder): void;
  /** Takes an ESP packet off the wire, SPI first, without UDP header. Answers why it was dropped; never throws for what a packet holds. */
  receive(packet: Bytes, path: Path): DropReason | undefined;
}
