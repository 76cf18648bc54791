/** What a client wants of a gateway, and what it keeps to come back (RFC 5723 §5, the columns of the initiator). */

import type { Selector } from '../contract/dataplane.ts';
import type { Algorithms, Retransmit } from '../contract/gateway-config.ts';
import type { IkeSuite } from './crypto/suite.ts';
import type { Identity, Instant, Path } from './sa.ts';
import type { Bytes } from './wire/bytes.ts';

export interface Connection {
  /** Names the connection in events. */
  readonly name: string;
  /** First exchange: our and the gateway's port for plain IKE. */
  readonly path: Path;
  /** Both ends after the move to NAT traversal (ports 4500). */
  readonly natPath: Path;
  readonly local: Identity;
  /** Undefined: any identity that proves the key. */
  readonly remote: Identity | undefined;
  readonly psk: Bytes;
  readonly ike: Algorithms;
  readonly esp: Algorithms;
  /** Ask for inner addresses; a former one is asked for again when a ticket remembers it. */
  readonly addresses: { readonly ipv4: boolean; readonly ipv6: boolean };
  readonly localTraffic: readonly Selector[];
  readonly remoteTraffic: readonly Selector[];
  readonly tickets: boolean;
  readonly forceEncapsulation: boolean;
  readonly rekeyMs: number;
  readonly childRekeyMs: number;
  readonly reauthenticationMs: number;
  readonly deadPeerMs: number;
  readonly retransmit: Retransmit;
  readonly fragmentBytes: number;
}

/** A ticket with the state that RFC 5723 §5 marks "from the ticket". SK_d is secret: keep it as safe as a PSK. */
export interface HeldTicket {
  readonly ticket: Bytes;
  readonly expiresAt: Instant;
  readonly suite: IkeSuite;
  readonly skD: Bytes;
  readonly local: Identity;
  readonly remote: Identity;
  readonly authenticatedAt: Instant;
  readonly reauthenticateBy: Instant;
  readonly inner: readonly Bytes[];
}
