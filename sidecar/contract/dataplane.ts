/** The messages between the IKE core and whatever moves packets: the `Dataplane` port. */
import type { Identity } from './gateway-config.ts';

/** A range of addresses, protocols and ports (RFC 7296 §3.13.1); `start` and `end` are 4 or 16 bytes, both included. */
export interface Selector {
  readonly protocol: number;
  readonly startPort: number;
  readonly endPort: number;
  readonly start: Uint8Array;
  readonly end: Uint8Array;
}

/** Both directions of a child SA in tunnel mode (RFC 4303). Keys are `encr` (with the salt of an AEAD) and `integ` (empty with an AEAD). */
export interface ChildSa {
  /** We chose it: it arrives in packets to us. 256 to 2^32 - 1. */
  readonly spiIn: number;
  readonly spiOut: number;
  readonly suite: { readonly encr: number; readonly keyBits: number; readonly integ: number; readonly esn: boolean };
  readonly keyIn: { readonly encr: Uint8Array; readonly integ: Uint8Array };
  readonly keyOut: { readonly encr: Uint8Array; readonly integ: Uint8Array };
  readonly local: readonly Selector[];
  readonly remote: readonly Selector[];
  /** Outer addresses, `192.0.2.1:4500` or `[2001:db8::1]:4500`. */
  readonly path: { readonly local: string; readonly remote: string };
  /** UDP-encapsulated (RFC 3948). */
  readonly encapsulated: boolean;
  readonly peer: Identity;
  /** How far another data plane had come with it, when the session moved here from another pod: no sequence number comes twice. */
  readonly sequences: Sequences;
}

/** Of a child: the last sequence number sent, the highest one received (RFC 4303 §2.2). */
export interface Sequences {
  readonly sent: number;
  readonly received: number;
}

/** What the core orders. A rekeyed child is installed before the old one is removed. */
export type DataplaneOrder = InstallOrder | RemoveOrder | MoveOrder;

export interface InstallOrder {
  readonly order: 'install';
  readonly child: ChildSa;
  /**
   * The inbound SPI of the child that goes on sending until it is removed or the peer has used the new one: whoever answers a rekeying
   * must not send on what the initiator has not installed yet (RFC 7296 §2.8). Undefined: the new child sends at once.
   */
  readonly sendsAfter?: number | undefined;
}

export interface RemoveOrder {
  readonly order: 'remove';
  readonly spiIn: number;
}

export interface MoveOrder {
  readonly order: 'move';
  readonly spiIn: number;
  readonly path: ChildSa['path'];
  readonly encapsulated: boolean;
}

/** What it reports. */
export type DataplaneReport =
  /** A packet for this SPI was authentic since the last report: the peer lives. `path` when it came from elsewhere (NAT rebinding). */
  | { readonly report: 'alive'; readonly spiIn: number; readonly path?: ChildSa['path'] | undefined }
  /** How far it has come; told of every child that carried something since the last report. */
  | ({ readonly report: 'carried'; readonly spiIn: number } & Sequences)
  /** The byte limit or the sequence numbers are nearly used up. */
  | { readonly report: 'expiring'; readonly spiIn: number }
  /** It could not be installed, or what carried it is gone: the peer must be told that this child is no more. `reason`: for the log. */
  | { readonly report: 'lost'; readonly spiIn: number; readonly reason?: string | undefined };
