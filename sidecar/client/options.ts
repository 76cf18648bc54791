/** What a client is told, and the `Connection` that the core makes of it (RFC 7296 §2.4, §2.19, §2.23). */
import { DEFAULT_ESP_ALGORITHMS, DEFAULT_IKE_ALGORITHMS } from '../contract/algorithms.ts';
import type { Algorithms, Identity, Retransmit } from '../contract/gateway-config.ts';
import type { Secret } from '../contract/secret.ts';
import type { Connection, TrustedAuthorities } from '../ike/connection.ts';
import type { Path } from '../ike/sa.ts';
import { everything } from '../ike/traffic.ts';
import { formatEndpoint } from '../shell/endpoint.ts';
import { TEMPO, type Tempo } from './attempts.ts';
import { type ClientAuthentication, ownProof } from './authentication.ts';

export interface ClientOptions {
  readonly gateway: GatewayAddress;
  readonly identity: Identity;
  /** Undefined: any identity that proves itself. */
  readonly remoteIdentity: Identity | undefined;
  readonly authentication: ClientAuthentication;
  /** For certificates of the gateway, and of an EAP server. */
  readonly trust: TrustedAuthorities;
  readonly ike: Algorithms;
  readonly esp: Algorithms;
  /** Address to send from; undefined: as the routes say. */
  readonly source: string | undefined;
  readonly tickets: boolean;
  /** A key that the gateway has too (RFC 8784). */
  readonly ppk: PostQuantumKey | undefined;
  readonly postQuantum: 'any' | 'required';
  /** Keep the session when our address changes (RFC 4555). */
  readonly mobike: boolean;
  /** Authenticate first, and ask for the child after that, where the gateway can do so (RFC 6023). */
  readonly childless: boolean;
  /** Follow a gateway that sends us elsewhere (RFC 5685). */
  readonly redirects: boolean;
  /** Give up after the first attempt that fails, and when a session ends. */
  readonly once: boolean;
  /** A gateway that shows no sign of life for so long is dead. */
  readonly deadPeerMs: number;
  /** Zero: never by itself. */
  readonly rekeyMs: number;
  readonly childRekeyMs: number;
  /** A session that came of these credentials ends after so long, resumptions included. */
  readonly reauthenticationMs: number;
  /** After so long without any other packet one byte keeps the way open (RFC 3948 §4); zero: never. */
  readonly keepaliveMs: number;
  /** ESP in UDP even where no NAT is: for a data plane that has no other. */
  readonly forceEncapsulation: boolean;
  readonly tempo: Tempo;
}

export interface PostQuantumKey {
  readonly id: string;
  readonly secret: Secret;
  readonly required: boolean;
}

export interface GatewayAddress {
  /** Name or address. */
  readonly host: string;
  readonly ikePort: number;
  readonly natPort: number;
}

type Essential = Pick<ClientOptions, 'gateway' | 'identity' | 'authentication'>;

/** Everything that is not given as a client has it by default. */
export const clientOptions = (options: Essential & Partial<ClientOptions>): ClientOptions => ({
  remoteIdentity: undefined,
  trust: { anchors: [], lists: [] },
  ike: DEFAULT_IKE_ALGORITHMS,
  esp: DEFAULT_ESP_ALGORITHMS,
  source: undefined,
  tickets: true,
  ...{ ppk: undefined, postQuantum: 'any', mobike: true, childless: false, redirects: true },
  once: false,
  deadPeerMs: 10_000,
  rekeyMs: 8 * 3_600_000,
  childRekeyMs: 3_600_000,
  reauthenticationMs: Number.POSITIVE_INFINITY, // the gateway's own limit is what counts
  keepaliveMs: 20_000,
  forceEncapsulation: true, // as Tunnel has it
  tempo: TEMPO,
  ...options,
});

/** Both paths begin at the same socket of ours: `local` is its address, `remote` the gateway's, `first` where the first message goes. */
export function connectionOf(
  options: ClientOptions,
  name: string,
  local: string,
  remote: { readonly first: string; readonly nat: string },
): Connection {
  const { ike, esp, tickets, rekeyMs, childRekeyMs, reauthenticationMs, deadPeerMs } = options;
  const { ppk, postQuantum, childless, mobike, redirects } = options;
  return {
    name,
    path: { local, remote: remote.first },
    natPath: { local, remote: remote.nat } satisfies Path,
    local: options.identity,
    remote: options.remoteIdentity,
    authentication: ownProof(options.authentication),
    trust: options.trust,
    ppk: ppk && { id: new TextEncoder().encode(ppk.id), secret: ppk.secret.expose(), required: ppk.required },
    ...{ postQuantum, childless, mobike },
    ...{ ike, esp, tickets, rekeyMs, childRekeyMs, reauthenticationMs },
    addresses: { ipv4: true, ipv6: true },
    // RFC 7296 §2.19: a client that asks for an address offers everything, and the gateway narrows it to what it assigns.
    localTraffic: [everything(4), everything(6)],
    remoteTraffic: [everything(4), everything(6)],
    redirects: redirects ? { from: undefined } : undefined,
    forceEncapsulation: options.forceEncapsulation,
    deadPeerMs: Math.floor(deadPeerMs / 2),
    retransmit: retransmission(Math.ceil(deadPeerMs / 2)),
    fragmentBytes: 1_200,
  };
}

const LONGEST_FIRST_WAIT_MS = 500;

/** Half of the time to death is silence, the other half is questions: four of them or more, each wait twice the one before (RFC 7296 §2.4). */
function retransmission(withinMs: number): Retransmit {
  const attempts = Math.max(4, Math.ceil(Math.log2(withinMs / LONGEST_FIRST_WAIT_MS + 1)));
  return { firstMs: Math.max(5, Math.floor(withinMs / (2 ** attempts - 1))), factor: 2, attempts };
}

export const dialled = ({ host, ikePort }: GatewayAddress): string => formatEndpoint(host, ikePort);
