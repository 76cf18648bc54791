/** `gateway.yaml`: all that a gateway pod is told about itself, but for keys and credentials. The operator writes it, the sidecar reloads it live. */

import type { AuthenticationRule, RadiusConfig } from './authentication.ts';

/** By IANA transform number, most wanted first. The YAML uses the keywords of algorithms.ts. */
export interface Algorithms {
  readonly encryption: readonly { readonly id: number; readonly keyBits: number }[];
  /** Used with the encryptions that are not AEADs. */
  readonly integrity: readonly number[];
  /** Empty for ESP. */
  readonly prf: readonly number[];
  /** For ESP: perfect forward secrecy of children; 0 stands for none. */
  readonly keyExchange: readonly number[];
  /** RFC 9370: what may come on top, in exchanges after the first, no method twice, when the peer can; empty: nothing. We offer one such exchange. */
  readonly additionalKeyExchange: readonly number[];
}

/** An ID payload (RFC 7296 §3.5). */
export interface Identity {
  readonly idType: number;
  readonly data: Uint8Array;
}

export interface GatewayConfig {
  /** `metadata.generation` of the VpnGateway that this was made from; acknowledged in /status. */
  readonly generation: number;
  /** namespace/name of the VpnGateway, for logs and metrics. */
  readonly name: string;
  /** A ticket of one audience opens at no other. */
  readonly audience: string;
  readonly identity: Identity;
  readonly listen: { readonly ikePort: number; readonly natPort: number; readonly httpPort: number; readonly peerPort: number };
  /** Sibling pods: ordinals 0 … replicas - 1 live at `host` with `{ordinal}` replaced, on `listen.peerPort`. */
  readonly peers: { readonly host: string; readonly replicas: number };
  /** Inner address pools, IPv4 or IPv6 prefixes, each split among `slices` ordinals. The first address of a pool is the gateway's own. */
  readonly pools: readonly { readonly cidr: string }[];
  readonly slices: number;
  readonly dns: readonly string[];
  /** Prefixes that clients may reach: the responder's traffic selectors and INTERNAL_IP4/6_SUBNET. */
  readonly routes: readonly string[];
  /** Domains that clients resolve by `dns` alone (RFC 8598). */
  readonly domains: readonly string[];
  /** At least one; the first that fits decides. */
  readonly authentication: readonly AuthenticationRule[];
  /** Undefined: no rule asks RADIUS. */
  readonly radius: RadiusConfig | undefined;
  /** `required`: a certificate of which no list and no OCSP response says that it is good is refused. */
  readonly revocation: 'ifKnown' | 'required';
  /** Sessions follow their clients to other addresses (RFC 4555). */
  readonly mobike: boolean;
  /** `allow`: an IKE SA may begin without a child (RFC 6023). */
  readonly childless: 'allow' | 'never';
  /** Where clients that can be redirected go (RFC 5685); undefined: nowhere. */
  readonly redirect: Redirect | undefined;
  readonly ike: {
    readonly algorithms: Algorithms;
    /** `required`: no session without ML-KEM (RFC 9370) or a post-quantum pre-shared key (RFC 8784). */
    readonly postQuantum: 'any' | 'required';
    /** `required`: no session without a post-quantum pre-shared key (RFC 8784). */
    readonly ppk: 'ifKnown' | 'required';
    /** Zero: never by itself. Milliseconds. */
    readonly rekeyMs: number;
    /** After this an SA, and every resumption that came of it, must authenticate anew. */
    readonly reauthenticationMs: number;
    readonly halfOpenMs: number;
    readonly deadPeerMs: number;
    readonly retransmit: Retransmit;
    /** Cookies from this many half-open SAs on. */
    readonly cookieThreshold: number;
    readonly maxHalfOpen: number;
    readonly maxSessions: number;
    /** Datagrams of an encrypted message are at most this long when both sides can fragment (RFC 7383). */
    readonly fragmentBytes: number;
  };
  readonly esp: {
    readonly algorithms: Algorithms;
    readonly rekeyMs: number;
    readonly lifetimeBytes: number;
    /** Always UDP-encapsulate, by feigned NAT (the user-space data plane needs it). */
    readonly forceEncapsulation: boolean;
  };
  readonly tickets: {
    readonly enabled: boolean;
    readonly lifetimeMs: number;
    /** Deleting an SA also spends its ticket. */
    readonly revokeOnDelete: boolean;
    /** Accept libreswan's AUTH form after a resumption (prf(SK_p, first message) alone). */
    readonly acceptLibreswanAuth: boolean;
    /** Resumptions on the port of plain IKE by clients that do not ask about NATs (libreswan), and so use ESP without UDP afterwards. */
    readonly withoutNatDetection: 'accept' | 'refuse';
    readonly revokedIdentities: readonly Identity[];
    /** How many spent ticket ids are remembered. */
    readonly maxSpent: number;
  };
  /** `auto`: what the agent runs; user space where there is none. `none`: IKE only. */
  readonly dataplane: 'auto' | 'kernel' | 'userspace' | 'none';
  readonly crypto: 'auto' | 'noble' | 'openssl';
}

export interface Redirect {
  /** The other gateway: an address or a domain name. */
  readonly to: Identity;
  /** `overloaded`: while half-open SAs or sessions are so many that no further one would be taken. */
  readonly when: 'always' | 'overloaded';
}

/** First wait, its growth and the number of attempts (RFC 7296 §2.4). */
export interface Retransmit {
  readonly firstMs: number;
  readonly factor: number;
  readonly attempts: number;
}
