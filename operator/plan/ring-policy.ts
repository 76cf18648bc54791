/** What a TicketKey asks of its ring, in milliseconds. */
import type { TicketKeySpec } from '../../crds/v1alpha1/ticketkey.ts';
import { parseSpan, parseTime } from '../../crds/v1alpha1/time.ts';

export interface RingPolicy {
  readonly rotationMs: number;
  readonly ticketLifetimeMs: number;
  /** How long a retired key stays once no pod seals with it any more. */
  readonly retentionMs: number;
  readonly ackTimeoutMs: number;
  /** Each change asks for one rotation. */
  readonly rotationToken: string;
  readonly suspended: boolean;
  /** Hexadecimal. */
  readonly revokedIds: readonly string[];
  /** 0: none. */
  readonly revokedBefore: number;
}

/** Clocks of pods differ; a ticket is still opened when its time has just passed here. */
const SKEW_MS = 5 * 60_000;
const DAY = 24 * 3_600_000;

/** For a gateway that names no TicketKey; the same as a TicketKey that leaves everything out. */
export const OWN_RING_POLICY: RingPolicy = {
  rotationMs: DAY,
  ticketLifetimeMs: DAY,
  retentionMs: DAY + SKEW_MS,
  ackTimeoutMs: 5 * 60_000,
  rotationToken: '',
  suspended: false,
  revokedIds: [],
  revokedBefore: 0,
};

export function ringPolicy(spec: TicketKeySpec): RingPolicy {
  const ticketLifetimeMs = parseSpan(spec.ticketLifetime);
  return {
    rotationMs: parseSpan(spec.rotationInterval),
    ticketLifetimeMs,
    retentionMs: spec.retiredKeyLifetime === undefined ? ticketLifetimeMs + SKEW_MS : parseSpan(spec.retiredKeyLifetime),
    ackTimeoutMs: parseSpan(spec.ackTimeout),
    rotationToken: spec.rotationToken ?? '',
    suspended: spec.suspend,
    revokedIds: spec.revocation?.keyIds ?? [],
    revokedBefore: parseTime(spec.revocation?.before ?? '') ?? 0,
  };
}
