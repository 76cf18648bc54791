/** `key-ring.yaml`: the keys that protect tickets (RFC 5723 §9.5). The operator writes it as a Secret, every pod of every gateway that uses it reloads it live. */
import type { Secret } from './secret.ts';

export interface KeyRing {
  readonly ringId: string;
  /** Grows with every change; acknowledged in /status. */
  readonly generation: number;
  /** Exactly one is active. Ids are unique. */
  readonly keys: readonly RingKey[];
  /** Ids of destroyed keys, kept until their last ticket has expired. */
  readonly revoked: readonly { readonly id: Uint8Array; readonly until: number }[];
  /** Tickets issued before this instant (ms) are refused; 0: none. */
  readonly revokedBefore: number;
}

export interface RingKey {
  /** 8 bytes, in every ticket in clear. */
  readonly id: Uint8Array;
  readonly algorithm: 'XChaCha20-Poly1305';
  /** `next` only opens; `active` seals and opens; `retired` only opens, until `openUntil`. */
  readonly state: 'next' | 'active' | 'retired';
  /** 32 bytes; only ever input to HKDF. */
  readonly secret: Secret;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** Known once all pods have acknowledged the retirement; no ticket is sealed to expire after it. */
  readonly openUntil: number | undefined;
}
