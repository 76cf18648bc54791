/** What a status, a condition and events say about a key ring: ids and times, never a secret. */
import { formatTime, parseTime } from '../../crds/v1alpha1/time.ts';
import type { Acknowledgements } from './acknowledgements.ts';
import type { Draft, Shown } from './conditions.ts';
import type { PlannedEvent } from './plan.ts';
import type { RingPolicy } from './ring-policy.ts';
import { activeKey, type Change, hex, type KeptRing, type RememberedRing, unhex } from './ticket-keys.ts';

/** `waitingFor` as it is shown: not the latest, but from the last sample. */
export function acknowledgedCondition(
  { kept, acks }: { readonly kept: KeptRing; readonly acks: Acknowledgements },
  waitingFor: readonly string[],
  shown: readonly Shown[],
  { ackTimeoutMs }: RingPolicy,
  now: number,
): Draft {
  const type = 'KeysAcknowledged';
  const generation = `generation ${kept.ring.generation} of the key ring`;
  if (acks.waitingFor.length === 0) {
    const but = acks.passedOver.length > 0 ? `, but for pods that have long been not ready: ${listed(acks.passedOver)}` : '';
    return { type, status: 'True', reason: 'Acknowledged', message: `every pod has loaded ${generation}${but}` };
  }
  const since = waitingSince(kept, shown, now);
  const pods = listed(waitingFor);
  if (now - since < ackTimeoutMs) {
    return { type, status: 'False', reason: 'WaitingForPods', message: `waiting for pods to load ${generation}: ${pods}` };
  }
  const message = `pods have not loaded ${generation} since ${formatTime(since)}, so no rotation goes on: ${pods}. Look at their logs, or delete them.`;
  return { type, status: 'False', reason: 'PodsBehind', message };
}

/** Since the ring changed, or since a pod joined that has yet to load it. */
export function waitingSince({ publishedAt }: KeptRing, shown: readonly Shown[], now: number): number {
  const waiting = shown.find(({ type, status }) => type === 'KeysAcknowledged' && status === 'False');
  return waiting ? Math.min(now, Math.max(publishedAt, parseTime(waiting.lastTransitionTime) ?? 0)) : now;
}

const SHOWN = 10;

export const listed = (names: readonly string[]): string =>
  names.length > SHOWN ? `${names.slice(0, SHOWN).join(', ')} and more` : names.join(', ');

/** The ring without its secrets. */
export const shownKeys = ({ ring }: KeptRing) =>
  ring.keys.map(({ id, state, createdAt, openUntil }) => ({
    id: hex(id),
    state,
    createdAt: formatTime(createdAt),
    ...(openUntil === undefined ? {} : { openUntil: formatTime(openUntil) }),
  }));

export const shownRing = (kept: KeptRing) => ({
  ringId: kept.ring.ringId,
  generation: kept.ring.generation,
  activeKey: hex(activeKey(kept.ring).id),
  keys: shownKeys(kept),
});

interface Status {
  readonly ringId?: string;
  readonly generation?: number;
  readonly rotationToken?: string;
  readonly revokedKeys?: readonly { readonly id: string; readonly until: string }[];
  readonly revokedBefore?: string;
}

export const rememberedRing = (status: Status | undefined): RememberedRing => ({
  ringId: status?.ringId,
  generation: status?.generation ?? 0,
  rotationToken: status?.rotationToken ?? '',
  revoked: (status?.revokedKeys ?? []).map(({ id, until }) => ({ id: unhex(id), until: parseTime(until) ?? 0 })),
  revokedBefore: parseTime(status?.revokedBefore ?? '') ?? 0,
});

const SENTENCES: Readonly<Record<Change['what'], string | undefined>> = {
  RingBegun: 'a new key ring begins with key',
  RingPutBack:
    'the Secret of the key ring was put back to an older state; its generation now goes past the one that pods have seen',
  ClockCorrected: 'the clock was ahead when these keys were made, their times are corrected:',
  Revoked: 'revoked and destroyed:',
  Destroyed: 'no ticket of these keys can be valid any more, they are destroyed:',
  Forgotten: undefined,
  Settled: undefined,
  Promoted: 'every pod has it, so it now seals tickets: key',
  Published: 'published for pods to load, before any seals with it: key',
};

export const ringEvents = (changes: readonly Change[]): PlannedEvent[] =>
  changes.flatMap(({ what, keys }) => {
    const sentence = SENTENCES[what];
    const type = what === 'RingPutBack' || what === 'ClockCorrected' ? 'Warning' : 'Normal';
    return sentence === undefined
      ? []
      : [{ type, reason: EVENTS[what] ?? what, message: [sentence, keys.join(', ')].join(' ').trimEnd() }];
  });

const EVENTS: Readonly<Partial<Record<Change['what'], string>>> = {
  Revoked: 'KeyRevoked',
  Destroyed: 'KeyDestroyed',
  Promoted: 'KeyPromoted',
  Published: 'KeyPublished',
};
