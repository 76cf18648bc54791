/** The plan for a TicketKey: the next step in the life of its ring, and what to say about it. */
import type { TicketKeyStatus } from '../../crds/v1alpha1/ticketkey.ts';
import { formatTime } from '../../crds/v1alpha1/time.ts';
import { conditions, readiness, transitions } from './conditions.ts';
import { isSame } from './difference.ts';
import { driveRing, quietUntil, type RingOutcome, urgentTouches } from './key-ring.ts';
import { ownerOf, ownLabels, ownsOrMayAdopt } from './manifests/ownership.ts';
import { FINALIZER, ringRef } from './names.ts';
import { NOTHING } from './nothing.ts';
import type { Failing, Plan, TicketKeyObserved } from './plan.ts';
import { type RingPolicy, ringPolicy } from './ring-policy.ts';
import { acknowledgedCondition, listed, rememberedRing, ringEvents, shownRing, waitingSince } from './ring-report.ts';
import { earliest, nextSampleAt, pollAt, type Sample, sample } from './samples.ts';
import { dueAt, rotationDueAt } from './ticket-keys.ts';

export function planTicketKey(observed: TicketKeyObserved): Plan {
  const { resource, users } = observed;
  const isUsed = users.some(({ deleting }) => !deleting);
  const isDeleting = resource.metadata.deletionTimestamp !== undefined;
  const plan = isDeleting && !isUsed ? NOTHING : planRing(observed);
  return { ...plan, finalizer: finalizer(resource.metadata.finalizers ?? [], isUsed) };
}

const finalizer = (present: readonly string[], wanted: boolean): Plan['finalizer'] =>
  present.includes(FINALIZER) === wanted ? undefined : { name: FINALIZER, present: wanted };

function planRing(observed: TicketKeyObserved): Plan {
  const policy = ringPolicy(observed.resource.spec);
  const outcome = outcomeOf(observed, policy);
  const { resource, pods, now } = observed;
  const { status, events, shown } = report(observed, outcome, policy);
  const { kept, acks } = outcome.kept ? outcome : { kept: undefined, acks: undefined };
  return {
    ...NOTHING,
    guarded: outcome.kept ? outcome.guarded : [],
    touch: kept ? urgentTouches(kept, pods, resource.metadata.namespace) : [],
    status,
    events,
    checkAgainAt: earliest(
      kept && dueAt(kept, policy),
      kept && quietUntil(kept, acks),
      kept && acks.waitingFor.length > 0 ? pollAt(waitingSince(kept, resource.status?.conditions ?? [], now), now) : undefined,
      shown && shown.waitingFor.length > 0 ? nextSampleAt(shown) : undefined,
    ),
  };
}

function outcomeOf({ resource, ring: secret, pods, fresh, now }: TicketKeyObserved, policy: RingPolicy): RingOutcome {
  const ref = ringRef(resource);
  if (secret && !ownsOrMayAdopt(resource, secret)) return { failing: taken(ref.name) };
  const remembered = rememberedRing(resource.status);
  return driveRing({ ref, owner: ownerOf(resource), labels: ownLabels, secret, remembered, policy, pods, fresh, now });
}

const taken = (name: string): Failing => ({
  reason: 'NameTaken',
  message: `Secret ${name} belongs to something else. Delete or rename it, or give the TicketKey another name.`,
  stalled: true,
});

function report(observed: TicketKeyObserved, outcome: RingOutcome, policy: RingPolicy) {
  const { resource, now } = observed;
  const { status: before, metadata } = resource;
  const shown = outcome.kept ? sample(before, outcome.acks, 0, outcome.kept.ring.generation, now) : undefined;
  const waiting = outcome.kept && acknowledgedCondition(outcome, shown?.waitingFor ?? [], before?.conditions ?? [], policy, now);
  const drafts = [...readiness(outcome.failing ?? inUse(observed), good(policy)), ...(waiting ? [waiting] : [])];
  const status: TicketKeyStatus = {
    ...(outcome.kept ? ringStatus(outcome, policy, shown) : before),
    observedGeneration: metadata.generation,
    conditions: conditions(drafts, before?.conditions ?? [], metadata.generation, now),
  };
  const events = [...ringEvents(outcome.kept ? outcome.changes : []), ...transitions(drafts, before?.conditions ?? [])];
  return { status: isSame(status, before) ? undefined : status, events, shown };
}

const good = ({ suspended }: RingPolicy) =>
  suspended
    ? ({ reason: 'Suspended', message: 'the ring is in force, but no rotation begins while spec.suspend is true' } as const)
    : ({ reason: 'Ready', message: 'the ring is in force' } as const);

function inUse({ resource, users }: TicketKeyObserved): Failing | undefined {
  if (resource.metadata.deletionTimestamp === undefined) return undefined;
  const names = users.filter(({ deleting }) => !deleting).map(({ name }) => name);
  const message = `still used by ${listed(names)}; delete these VpnGateways or change their spec.ticketKeyRef`;
  return { reason: 'Deleting', message, stalled: false };
}

function ringStatus(
  { kept }: Extract<RingOutcome, { kept: object }>,
  policy: RingPolicy,
  shown: Sample | undefined,
): TicketKeyStatus {
  const { revoked, revokedBefore } = kept.ring;
  const next = rotationDueAt(kept.ring, policy);
  return {
    ...shownRing(kept),
    rotationToken: kept.rotationToken,
    revokedKeys: revoked.map(({ id, until }) => ({ id: Buffer.from(id).toString('hex'), until: formatTime(until) })),
    waitingFor: shown?.waitingFor ?? [],
    passedOver: shown?.passedOver ?? [],
    ...(shown ? { sampledAt: shown.sampledAt } : {}),
    ...(revokedBefore > 0 ? { revokedBefore: formatTime(revokedBefore) } : {}),
    ...(next === undefined ? {} : { nextRotationTime: formatTime(next) }),
  };
}
