/** One look at a key ring: what its Secret holds, how its life goes on, and what the plan of its owner has to do for that. */
import { type Acknowledgements, acknowledgements, hasAcknowledged, isAlive } from './acknowledgements.ts';
import { isSame } from './difference.ts';
import { GROUP } from './names.ts';
import type { Failing, FreshKey, GuardedWrite, Manifest, OwnerReference, Plan, Pod, Ref } from './plan.ts';
import type { RingPolicy } from './ring-policy.ts';
import { readRing, ringSecret } from './ring-secret.ts';
import {
  type Advance,
  advance,
  begin,
  type Change,
  type Circumstances,
  isUnfinished,
  type KeptRing,
  type RememberedRing,
} from './ticket-keys.ts';

export interface RingSituation {
  readonly ref: Ref;
  readonly owner: OwnerReference;
  readonly labels: Readonly<Record<string, string>>;
  readonly secret: Manifest | undefined;
  readonly remembered: RememberedRing;
  readonly policy: RingPolicy;
  readonly pods: readonly Pod[];
  readonly fresh: FreshKey;
  readonly now: number;
}

/** The ring as it will be once the plan is carried out, or why there is none. */
export type RingOutcome =
  | { readonly failing: Failing; readonly kept?: never }
  | {
      readonly failing?: never;
      readonly kept: KeptRing;
      readonly changes: readonly Change[];
      readonly guarded: readonly GuardedWrite[];
      /** Of the ring as it will be. */
      readonly acks: Acknowledgements;
    };

/** For the owner of a ring: decides the next step of its life. */
export function driveRing(situation: RingSituation): RingOutcome {
  const { secret, remembered, policy } = situation;
  if (!secret) {
    const mayBegin = remembered.ringId === undefined || policy.rotationToken !== remembered.rotationToken;
    return mayBegin ? concluded(situation, begin(circumstances(situation, false))) : { failing: missing(situation) };
  }
  const read = readRing(secret);
  if (!read.ok) return { failing: unreadable(situation.ref, read.problems[0]?.message) };
  return concluded(situation, advance(read.value, circumstances(situation, isAcknowledged(read.value, situation))));
}

/** For whoever only uses a ring. */
export function lookAtRing(
  ref: Ref,
  secret: Manifest | undefined,
  pods: readonly Pod[],
  ackTimeoutMs: number,
  now: number,
): RingOutcome {
  if (!secret) return { failing: pending(ref) };
  const read = readRing(secret);
  if (!read.ok) return { failing: unreadable(ref, read.problems[0]?.message) };
  return { kept: read.value, changes: [], guarded: [], acks: acknowledgements(read.value.ring, pods, ackTimeoutMs, now) };
}

/** Nobody acknowledges where there are no pods; but one may just be starting, so a moment is left for it to appear. */
function isAcknowledged({ ring, publishedAt }: KeptRing, { pods, policy, now }: RingSituation): boolean {
  const { waitingFor, nobody } = acknowledgements(ring, pods, policy.ackTimeoutMs, now);
  return waitingFor.length === 0 && (!nobody || Math.abs(now - publishedAt) >= QUIET_MS);
}

const QUIET_MS = 10_000;

/** When a rotation that nobody has to acknowledge goes on. */
export const quietUntil = ({ ring, publishedAt }: KeptRing, { nobody }: Acknowledgements): number | undefined =>
  nobody && isUnfinished(ring) ? publishedAt + QUIET_MS : undefined;

const circumstances = ({ now, policy, remembered, fresh }: RingSituation, acknowledged: boolean): Circumstances => ({
  now,
  policy,
  remembered,
  fresh,
  acknowledged,
});

function concluded(situation: RingSituation, { kept, changes }: Advance): RingOutcome {
  const { ref, owner, labels, secret, pods, policy, now } = situation;
  const manifest = ringSecret(ref, owner, labels, kept);
  const isAdopted = isSame(secret?.metadata.ownerReferences, [owner]);
  const guarded = changes.length > 0 || !isAdopted ? [{ manifest, resourceVersion: secret?.metadata.resourceVersion }] : [];
  return { kept, changes, guarded, acks: acknowledgements(kept.ring, pods, policy.ackTimeoutMs, now) };
}

const missing = ({ ref, owner }: RingSituation): Failing => ({
  reason: 'KeyRingMissing',
  message:
    `Secret ${ref.name} with the key ring is gone. Pods go on with the keys that they have loaded, new ones cannot start. ` +
    `Restore the Secret from a backup; or ${NEW_RING[owner.kind] ?? ''}, to begin a new ring, which refuses every ticket given so far.`,
  stalled: true,
});

const NEW_RING: Readonly<Record<string, string>> = {
  TicketKey: 'give spec.rotationToken a new value',
  VpnGateway: 'name a TicketKey in spec.ticketKeyRef',
};

const unreadable = ({ name }: Ref, problem = 'nothing in it'): Failing => ({
  reason: 'KeyRingUnreadable',
  message: `Secret ${name} holds no valid key ring (${problem}). Restore it from a backup, or delete it and follow what is said then.`,
  stalled: true,
});

const pending = ({ name }: Ref): Failing => ({
  reason: 'KeyRingPending',
  message: `Secret ${name} with the key ring does not exist yet; its TicketKey makes it. If this stays, look at the conditions of the TicketKey.`,
  stalled: false,
});

/** Only pods that a revocation has not reached, and each once: afterwards their annotation says so. */
export function urgentTouches({ ring, urgentGeneration }: KeptRing, pods: readonly Pod[], namespace: string): Plan['touch'] {
  const wanted = String(urgentGeneration);
  return pods
    .filter(
      (pod) => urgentGeneration > 0 && isAlive(pod) && !hasAcknowledged(ring, pod) && pod.annotations[REVOCATION] !== wanted,
    )
    .map(({ name, uid }) => ({ pod: { name, namespace, uid }, annotations: { [REVOCATION]: wanted } }));
}

const REVOCATION = `${GROUP}/revocation`;
