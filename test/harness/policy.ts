/** Policies and connections for tests: short to write, whole in what they say. */

import type { AuthenticationRule } from '../../sidecar/contract/authentication.ts';
import { DEFAULT_RULES } from '../../sidecar/contract/authentication-yaml.ts';
import type { Algorithms, GatewayConfig } from '../../sidecar/contract/gateway-config.ts';
import type { KeyRing, RingKey } from '../../sidecar/contract/key-ring.ts';
import { Secret } from '../../sidecar/contract/secret.ts';
import type { Connection } from '../../sidecar/ike/connection.ts';
import type { Credentials, Policy } from '../../sidecar/ike/context.ts';
import { TRUSTS_NOBODY } from '../../sidecar/ike/pki/trust.ts';
import type { Identity } from '../../sidecar/ike/sa.ts';
import { everything } from '../../sidecar/ike/traffic.ts';
import { hex, utf8 } from '../../sidecar/ike/wire/bytes.ts';
import { Encr, IdType, Integ, Ke, Prf } from '../../sidecar/ike/wire/registry.ts';

export const fqdn = (name: string): Identity => ({ idType: IdType.ID_FQDN, data: utf8(name) });
export const email = (name: string): Identity => ({ idType: IdType.ID_RFC822_ADDR, data: utf8(name) });

export const GATEWAY = fqdn('vpn.example.com');
export const ALICE = email('alice@example.com');
export const PSK = utf8('a secret that only alice knows');

/** Whoever has a certificate that we trust. */
export const CERTIFICATE_RULE: AuthenticationRule = {
  ...{ name: 'certificate', method: 'certificate', identities: [], authorities: [], eapOnly: false, pools: [] },
  ...{ routes: undefined, dns: undefined, domains: undefined, rekeyMs: undefined, reauthenticationMs: undefined },
  ...{ uniqueness: 'keep', maxSessions: 10 },
};

export const AEAD: Algorithms = {
  encryption: [{ id: Encr.AES_GCM_16, keyBits: 256 }],
  integrity: [],
  prf: [Prf.HMAC_SHA2_256],
  keyExchange: [Ke.CURVE25519, Ke.ECP_256],
  additionalKeyExchange: [],
};
export const CBC: Algorithms = {
  encryption: [{ id: Encr.AES_CBC, keyBits: 256 }],
  integrity: [Integ.HMAC_SHA2_256_128],
  prf: [Prf.HMAC_SHA2_256],
  keyExchange: [Ke.CURVE25519],
  additionalKeyExchange: [],
};
export const ESP: Algorithms = { ...AEAD, prf: [], keyExchange: [Ke.NONE, Ke.CURVE25519] };

const HOUR = 3_600_000;

/** A rule of EAP that lets peers do without our certificate, unless it says otherwise. */
export const eapRule = (part: Partial<AuthenticationRule> = {}): AuthenticationRule => ({
  ...{ name: 'eap', method: 'eap-tls', identities: [], authorities: [], eapOnly: true, pools: [], routes: undefined },
  ...{
    dns: undefined,
    domains: undefined,
    rekeyMs: undefined,
    reauthenticationMs: undefined,
    uniqueness: 'keep',
    maxSessions: 10,
  },
  ...part,
});
export const EAP_CONNECTION: Partial<Connection> = { authentication: { method: 'eap', eapOnly: true } };

type Part<T> = { readonly [K in keyof T]?: T[K] extends readonly unknown[] ? T[K] : T[K] extends object ? Partial<T[K]> : T[K] };

export function config(part: Part<GatewayConfig> = {}): GatewayConfig {
  return {
    ...{ generation: 1, name: 'test/gateway', audience: 'audience', identity: GATEWAY, dataplane: 'userspace', crypto: 'auto' },
    ...{ authentication: DEFAULT_RULES, radius: undefined },
    ...{ domains: [], revocation: 'ifKnown', mobike: true, childless: 'allow', redirect: undefined },
    ...{ pools: [{ cidr: '10.8.0.0/16' }], slices: 4, dns: ['10.8.0.1'], routes: ['0.0.0.0/0'] },
    ...part,
    listen: { ikePort: 500, natPort: 4500, httpPort: 9500, peerPort: 9501, ...part.listen },
    peers: { host: 'pod-{ordinal}', replicas: 1, ...part.peers },
    ike: {
      ...{
        algorithms: AEAD,
        postQuantum: 'any',
        ppk: 'ifKnown',
        rekeyMs: 0,
        reauthenticationMs: 24 * HOUR,
        halfOpenMs: 30_000,
        deadPeerMs: 30_000,
      },
      ...{
        retransmit: { firstMs: 500, factor: 2, attempts: 5 },
        cookieThreshold: 100,
        maxHalfOpen: 1_000,
        maxSessions: 10_000,
        fragmentBytes: 1_200,
      },
      ...part.ike,
    },
    esp: { algorithms: ESP, rekeyMs: 0, lifetimeBytes: 0, forceEncapsulation: false, ...part.esp },
    tickets: {
      ...{
        enabled: true,
        lifetimeMs: HOUR,
        revokeOnDelete: false,
        acceptLibreswanAuth: true,
        withoutNatDetection: 'accept',
        revokedIdentities: [],
        maxSpent: 1_000,
      },
      ...part.tickets,
    },
  } as GatewayConfig;
}

export const ringKey = (number: number, state: RingKey['state'], openUntil?: number): RingKey => ({
  ...{ id: new Uint8Array(8).fill(number), algorithm: 'XChaCha20-Poly1305', state, createdAt: 0, openUntil },
  secret: new Secret(new Uint8Array(32).fill(100 + number)),
});

export const ring = (part: Partial<KeyRing> = {}): KeyRing => ({
  ...{ ringId: 'ring', generation: 1, keys: [ringKey(1, 'active')], revoked: [], revokedBefore: 0 },
  ...part,
});

/** Everybody in `users` (identity text by hex of its bytes) may come in. */
export function policy(
  part: {
    config?: GatewayConfig;
    ring?: KeyRing;
    users?: ReadonlyMap<string, Uint8Array>;
    credentials?: Partial<Credentials>;
  } = {},
): Policy {
  const users = part.users ?? new Map([[hex(ALICE.data), PSK]]);
  const credentials: Credentials = {
    psk: ({ data }) => users.get(hex(data)),
    ...{ certificate: undefined, trust: TRUSTS_NOBODY, ppk: () => undefined, hasPpks: false },
    ...part.credentials,
  };
  return { config: part.config ?? config(), ring: part.ring ?? ring(), credentials };
}

export function connection(part: Partial<Connection> = {}): Connection {
  return {
    ...{ name: 'home', local: ALICE, remote: GATEWAY, ike: AEAD, esp: ESP },
    ...{ authentication: { method: 'psk', secret: PSK }, trust: { anchors: [], lists: [] } },
    path: { local: '192.0.2.1:500', remote: '198.51.100.1:500' },
    natPath: { local: '192.0.2.1:4500', remote: '198.51.100.1:4500' },
    ...{ addresses: { ipv4: true, ipv6: false }, localTraffic: [everything(4)], remoteTraffic: [everything(4)] },
    ...{
      tickets: true,
      redirects: { from: undefined },
      mobike: true,
      childless: false,
      ppk: undefined,
      postQuantum: 'any',
      forceEncapsulation: false,
      rekeyMs: 0,
      childRekeyMs: 0,
      reauthenticationMs: 24 * HOUR,
      deadPeerMs: 30_000,
    },
    ...{ retransmit: { firstMs: 500, factor: 2, attempts: 5 }, fragmentBytes: 1_200 },
    ...part,
  };
}
