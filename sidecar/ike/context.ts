/** Everything from the outside that a handler may use. */
import type { GatewayConfig } from '../contract/gateway-config.ts';
import type { KeyRing } from '../contract/key-ring.ts';
import type { AddressPools } from './addresses.ts';
import type { Cryptography } from './crypto/cryptography.ts';
import type { PrivateKey } from './crypto/signature.ts';
import type { Trust } from './pki/trust.ts';
import type { Identity, IkeSa, Instant } from './sa.ts';
import type { SpentTickets } from './spent-tickets.ts';
import type { Strain } from './strain.ts';
import type { Bytes } from './wire/bytes.ts';

/** What is in force; replaced whole by a `configure` input. */
export interface Policy {
  readonly config: GatewayConfig;
  readonly ring: KeyRing;
  readonly credentials: Credentials;
}

/** Port: who may prove what, and with what we prove ourselves. */
export interface Credentials {
  /** The pre-shared key of a peer's identity. */
  psk(identity: Identity): Bytes | undefined;
  /** Ours; undefined: this gateway has none, so nobody who wants to see one comes in. */
  readonly certificate: OwnCertificate | undefined;
  readonly trust: Trust;
  /** A post-quantum pre-shared key by its id (RFC 8784). */
  ppk(id: Bytes): Bytes | undefined;
  /** There are such keys. */
  readonly hasPpks: boolean;
}

export interface OwnCertificate {
  /** DER: our own first, then intermediates. */
  readonly chain: readonly Bytes[];
  readonly key: PrivateKey;
}

/** Who this process is among its siblings. */
export interface Member {
  /** Position in the StatefulSet, 0 to 254; undefined for a client. */
  readonly ordinal: number | undefined;
  /** 16 random bytes, new at every start. */
  readonly incarnation: Bytes;
}

export interface Context {
  readonly now: Instant;
  readonly random: (length: number) => Bytes;
  readonly crypto: Cryptography;
  /** Undefined in a client, and in a gateway that has not been configured yet: it answers nothing. */
  readonly policy: Policy | undefined;
  readonly member: Member;
  /** Whether what carries packets is there. While it is not, no new child is promised to anybody. */
  readonly carrying: boolean;
  readonly addresses: AddressPools;
  readonly spent: SpentTickets;
  readonly strain: Strain;
  /** An SPI of ours that names this pod and is not in use. */
  readonly newIkeSpi: () => string;
  readonly newEspSpi: () => number;
  /** Other SAs with this peer identity that are established. */
  readonly sessionsOf: (remote: Identity) => readonly IkeSa[];
  /** By our SPI. */
  readonly find: (spi: string) => IkeSa | undefined;
  /** Whether a child of some SA here has this SPI of ours. */
  readonly hasChild: (spiIn: number) => boolean;
  readonly halfOpen: number;
  /** Of those, the ones from the network of this address. */
  readonly halfOpenFrom: (remote: string) => number;
  readonly sessions: number;
}
