/** A ticket as a gateway may have given it, and for whom. */
import type { Audience } from '../../../sidecar/client/ticket-store.ts';
import { DEFAULT_IKE_ALGORITHMS } from '../../../sidecar/contract/algorithms.ts';
import type { HeldTicket } from '../../../sidecar/ike/connection.ts';
import { type Instant, later, NEVER } from '../../../sidecar/ike/sa.ts';
import { ALICE, GATEWAY } from '../../harness/policy.ts';

export const NOW = later(0 as Instant, Date.UTC(2030, 0, 2));
export const DIALLED = 'vpn.example.com:500';
export const AUDIENCE: Audience = {
  ...{
    gateway: DIALLED,
    provenBy: 'psk',
    postQuantum: 'any',
    local: ALICE,
    remote: undefined,
    algorithms: DEFAULT_IKE_ALGORITHMS,
  },
};

export const heldTicket = (part: Partial<HeldTicket> = {}): HeldTicket => ({
  ticket: new Uint8Array(300).fill(0xab),
  expiresAt: later(NOW, 3_600_000),
  suite: { encr: 20, keyBits: 256, integ: 0, prf: 5, ke: 31 },
  skD: new Uint8Array(32).fill(0xcd),
  ...{ local: ALICE, remote: GATEWAY, authenticatedAt: NOW, reauthenticateBy: NEVER },
  inner: [Uint8Array.of(10, 8, 0, 7)],
  postQuantum: false,
  form: 'rfc',
  ...part,
});
