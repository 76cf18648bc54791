/** How long things last in the model: short, so that a schedule meets their ends. */
import type { Algorithms, GatewayConfig } from '../../../sidecar/contract/gateway-config.ts';
import type { Connection } from '../../../sidecar/ike/connection.ts';
import { Encr, Integ, Ke } from '../../../sidecar/ike/wire/registry.ts';
import { AEAD, CBC, config, ESP, fqdn } from '../policy.ts';
import type { Setting } from './schedule.ts';

const MINUTE = 60_000;
export const TICKET_MS = 10 * MINUTE;
export const REAUTHENTICATION_MS = 40 * MINUTE;
export const DEAD_PEER_MS = 30_000;

/** Small slices, so that addresses are used again. */
export function gatewayConfig({
  pods,
  cookies,
  cbc,
  otherGroup,
  rekeys,
  revokeOnDelete,
  fragments,
  mobike,
  postQuantum,
}: Setting): GatewayConfig {
  return config({
    pools: [{ cidr: '10.8.0.0/26' }],
    slices: 4,
    peers: { replicas: pods },
    mobike,
    // Only those whom the operator sends there.
    redirect: { to: fqdn('other.example.com'), when: 'overloaded' },
    ike: {
      algorithms: {
        ...(cbc ? CBC : AEAD),
        keyExchange: otherGroup ? [Ke.CURVE25519] : [Ke.CURVE25519, Ke.ECP_256],
        additionalKeyExchange: furtherOf(postQuantum),
      },
      reauthenticationMs: REAUTHENTICATION_MS,
      rekeyMs: rekeys ? 130_000 : 0,
      deadPeerMs: DEAD_PEER_MS,
      cookieThreshold: cookies ? 0 : 100,
      fragmentBytes: fragments ? 256 : 1_200,
    },
    esp: { rekeyMs: rekeys ? 90_000 : 0, algorithms: espOf(cbc, postQuantum) },
    tickets: { lifetimeMs: TICKET_MS, revokeOnDelete },
  });
}

export function connectionTerms({ cbc, otherGroup, rekeys, fragments, postQuantum }: Setting): Partial<Connection> {
  const ike = cbc ? CBC : AEAD;
  return {
    ike: {
      ...ike,
      keyExchange: otherGroup ? [Ke.ECP_256, Ke.CURVE25519] : ike.keyExchange,
      additionalKeyExchange: furtherOf(postQuantum),
    },
    esp: espOf(cbc, postQuantum),
    rekeyMs: rekeys ? 140_000 : 0,
    childRekeyMs: rekeys ? 100_000 : 0,
    deadPeerMs: DEAD_PEER_MS,
    fragmentBytes: fragments ? 256 : 1_200,
  };
}

const furtherOf = (postQuantum: boolean): readonly number[] => (postQuantum ? [Ke.ML_KEM_512] : []);

function espOf(cbc: boolean, postQuantum: boolean): Algorithms {
  const cipher = { encryption: [{ id: Encr.AES_CBC, keyBits: 128 }], integrity: [Integ.HMAC_SHA2_256_128], prf: [] };
  const base = cbc ? { ...cipher, keyExchange: [Ke.CURVE25519], additionalKeyExchange: [] } : ESP;
  // Further key exchanges follow a first one.
  return postQuantum ? { ...base, keyExchange: [Ke.CURVE25519], additionalKeyExchange: furtherOf(true) } : base;
}
