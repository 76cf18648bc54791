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
    return mayBegin
      ? concluded(situation, live(begin(circumstances(situation, false)), situation))
      : { failing: missing(situation) };
  }
  const read = readRing(secret);
  if (!read.ok) return { failing: unreadable(situation.ref, read.problems[0]?.message) };
  return concluded(situation, live({ kept: read.value, changes: [] }, situation));
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

/** Where no pod has to acknowledge, the life goes on until the clock is waited for. */
function live(start: Advance, situation: RingSituation): Advance {
  const { ring } = start.kept;
  const { waitingFor, nobody } = acknowledgements(ring, situation.pods, situation.policy.ackTimeoutMs, situation.now);
  const acknowledged = start.changes.length === 0 && waitingFor.length === 0;
  const step = advance(start.kept, circumstances(situation, acknowledged || nobody));
  const sum = { kept: step.kept, changes: [...start.changes, ...step.changes] };
  return nobody && step.changes.length > 0 && sum.changes.length < MAX_CHANGES ? live(sum, situation) : sum;
}

/** More than a ring without pods can need at once. */
const MAX_CHANGES = 16;

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

const missing = ({ ref }: RingSituation): Failing => ({
  reason: 'KeyRingMissing',
  message:
    `Secret ${ref.name} with the key ring is gone. Pods go on with the keys that they have loaded, new ones cannot start. ` +
    'Restore the Secret from a backup; or give spec.rotationToken of the TicketKey a new value (a gateway with a ring of its own: name a TicketKey ' +
    'in spec.ticketKeyRef) to begin a new ring, which refuses every ticket given so far.',
  stalled: true,
});

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
