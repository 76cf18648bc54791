/**
 * The life of a key ring (RFC 5723 §9.5): a key is published as `next`, becomes `active` when every pod has it, is `retired` by its
 * successor, and is destroyed when the last ticket that it sealed has expired. Revocation destroys at once.
 */
import type { KeyRing, RingKey } from '../../sidecar/contract/key-ring.ts';
import type { FreshKey } from './plan.ts';
import type { RingPolicy } from './ring-policy.ts';

/** What the ring's Secret holds. */
export interface KeptRing {
  readonly ring: KeyRing;
  /** The rotation token that was last acted upon. */
  readonly rotationToken: string;
  /** When this generation was written. */
  readonly publishedAt: number;
  /** The last generation that pods must load at once because it revokes; 0: none. */
  readonly urgentGeneration: number;
}

/** What the resource's status remembers, against a ring that was lost or put back from a backup. */
export interface RememberedRing {
  readonly ringId: string | undefined;
  readonly generation: number;
  readonly rotationToken: string;
  readonly revoked: KeyRing['revoked'];
  readonly revokedBefore: number;
}

export interface Change {
  readonly what:
    | 'RingBegun'
    | 'RingPutBack'
    | 'ClockCorrected'
    | 'Revoked'
    | 'Destroyed'
    | 'Forgotten'
    | 'Settled'
    | 'Promoted'
    | 'Published';
  /** Ids of the keys that it is about, hexadecimal. */
  readonly keys: readonly string[];
}

export interface Advance {
  readonly kept: KeptRing;
  readonly changes: readonly Change[];
}

export interface Circumstances {
  readonly now: number;
  readonly policy: RingPolicy;
  readonly remembered: RememberedRing;
  readonly fresh: FreshKey;
  /** Every pod that is waited for has loaded the ring as it is now. */
  readonly acknowledged: boolean;
}

/** No ticket and no key lives longer by the schema; a later end is the trace of a clock that was wrong. */
const LONGEST_RETENTION_MS = 336 * 3_600_000;
const MAX_KEYS = 48;
const MAX_TOMBSTONES = 256;

/** A ring with one key, which is active at once because no other was ever used. */
export function begin({ now, policy, remembered, fresh }: Circumstances): Advance {
  const generation = remembered.generation + 1;
  const ring: KeyRing = {
    ringId: fresh.ringId,
    generation,
    keys: [keyFrom(fresh, 'active', now)],
    revoked: [...remembered.revoked, ...tombstones(policy.revokedIds, remembered.revoked, now + policy.retentionMs)],
    revokedBefore: Math.max(policy.revokedBefore, remembered.revokedBefore),
  };
  const kept = { ring, rotationToken: policy.rotationToken, publishedAt: now, urgentGeneration: 0 };
  return { kept, changes: [{ what: 'RingBegun', keys: [hex(fresh.id)] }] };
}

/** One step of the ring's life, by what is due; the generation grows if anything changed. */
export function advance(kept: KeptRing, circumstances: Circumstances): Advance {
  const steps = [putBack, correctClock, revoke, destroyExpired, settle, promote, publish];
  const start: Draft = { ...kept.ring, rotationToken: kept.rotationToken, changes: [] };
  const draft = steps.reduce((before, step) => step(before, circumstances), start);
  if (draft.changes.length === 0) return { kept, changes: [] };
  const { rotationToken, changes, ...content } = draft;
  const generation = Math.max(kept.ring.generation, circumstances.remembered.generation) + 1;
  const urgent = changes.some(({ what }) => what === 'Revoked');
  return {
    kept: {
      ring: { ...content, generation },
      rotationToken,
      publishedAt: circumstances.now,
      urgentGeneration: urgent ? generation : kept.urgentGeneration,
    },
    changes,
  };
}

/** When something is next due by the clock alone; 0: at once. */
export function dueAt({ ring, rotationToken }: KeptRing, policy: RingPolicy): number | undefined {
  const ends = [
    ...ring.keys.map((key) => key.openUntil),
    ...ring.revoked.map(({ id, until }) => (isListed(id, policy) ? undefined : until)),
  ];
  const rotation = rotationDueAt(ring, policy);
  const forced = rotation !== undefined && rotationToken !== policy.rotationToken;
  const dues = [...ends, forced ? 0 : rotation].filter((at) => at !== undefined);
  return dues.length > 0 ? Math.min(...dues) : undefined;
}

/** When the active key will have sealed for long enough; undefined while suspended, full, or with its successor under way. */
export function rotationDueAt(ring: KeyRing, policy: RingPolicy): number | undefined {
  if (policy.suspended || isFull(ring) || ring.keys.some(inState('next'))) return undefined;
  return activeKey(ring).createdAt + policy.rotationMs;
}

/** Something about it waits for acknowledgements. */
export const isUnfinished = ({ keys }: KeyRing): boolean =>
  keys.some(({ state, openUntil }) => state === 'next' || (state === 'retired' && openUntil === undefined));

export function activeKey(ring: KeyRing): RingKey {
  const active = ring.keys.find(inState('active'));
  if (!active) throw new Error(`ring ${ring.ringId} has no active key`);
  return active;
}

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
export const unhex = (digits: string): Uint8Array => Uint8Array.from(Buffer.from(digits, 'hex'));

interface Draft extends KeyRing {
  readonly rotationToken: string;
  readonly changes: readonly Change[];
}

type Step = (draft: Draft, circumstances: Circumstances) => Draft;

/** Many forced rotations: the next one waits until an old key has expired, so that the ring stays small. */
const isFull = ({ keys }: Pick<KeyRing, 'keys'>): boolean => keys.length >= MAX_KEYS;

const inState =
  (state: RingKey['state']) =>
  (key: RingKey): boolean =>
    key.state === state;

const keyFrom = ({ id, secret }: FreshKey, state: RingKey['state'], now: number): RingKey => ({
  id,
  algorithm: 'XChaCha20-Poly1305',
  state,
  secret,
  createdAt: now,
  openUntil: undefined,
});

const changed = (
  draft: Draft,
  what: Change['what'],
  keys: readonly RingKey[] | readonly string[],
  content: Partial<Draft>,
): Draft => ({
  ...draft,
  ...content,
  changes: [...draft.changes, { what, keys: keys.map((key) => (typeof key === 'string' ? key : hex(key.id))) }],
});

/** A Secret from a backup brings no revoked key back, and its generation goes past the one that pods have seen. */
const putBack: Step = (draft, { remembered, now }) => {
  const known = idsOf(draft.revoked);
  const forgotten = remembered.revoked.filter(({ id, until }) => until > now && !known.has(hex(id)));
  if (forgotten.length === 0 && draft.generation >= remembered.generation) return draft;
  return changed(draft, 'RingPutBack', [], { revoked: [...draft.revoked, ...forgotten] });
};

/** Times that lie too far ahead come from a clock that was wrong then: without this, no rotation would be due for as long. */
const correctClock: Step = (draft, { now, policy }) => {
  const isWrong = (key: RingKey): boolean =>
    key.createdAt > now + policy.rotationMs || (key.openUntil !== undefined && key.openUntil > now + 2 * LONGEST_RETENTION_MS);
  const wrong = draft.keys.filter(isWrong);
  if (wrong.length === 0) return draft;
  const correct = (key: RingKey): RingKey => ({
    ...key,
    createdAt: Math.min(key.createdAt, now),
    openUntil: key.openUntil && Math.min(key.openUntil, now + policy.retentionMs),
  });
  return changed(draft, 'ClockCorrected', wrong, { keys: draft.keys.map((key) => (isWrong(key) ? correct(key) : key)) });
};

/** Takes effect without waiting for any pod: for a moment some may seal with a key that others lack, which costs a full handshake. */
const revoke: Step = (draft, { now, policy, fresh, remembered }) => {
  const known = idsOf(draft.revoked);
  const revokedBefore = Math.max(draft.revokedBefore, policy.revokedBefore, remembered.revokedBefore);
  // Keys made since this time was first declared are not touched again, even if it lies in the future.
  const isNewTime = revokedBefore > draft.revokedBefore;
  const isDoomed = (key: RingKey): boolean =>
    isListed(key.id, policy) || known.has(hex(key.id)) || (isNewTime && key.createdAt < revokedBefore);
  const doomed = draft.keys.filter(isDoomed);
  const ids = [...doomed.map((key) => hex(key.id)), ...policy.revokedIds];
  const added = tombstones(ids, draft.revoked, now + policy.retentionMs);
  if (doomed.length === 0 && added.length === 0 && !isNewTime) return draft;
  return changed(draft, 'Revoked', [...idsOf([...doomed, ...added])], {
    keys: withActive(
      draft.keys.filter((key) => !isDoomed(key)),
      fresh,
      now,
    ),
    revoked: [...draft.revoked, ...added].slice(-MAX_TOMBSTONES),
    revokedBefore,
  });
};

function tombstones(ids: readonly string[], known: KeyRing['revoked'], until: number): KeyRing['revoked'] {
  const present = idsOf(known);
  return [...new Set(ids)].filter((id) => !present.has(id)).map((id) => ({ id: unhex(id), until }));
}

const idsOf = (entries: readonly { readonly id: Uint8Array }[]): Set<string> => new Set(entries.map(({ id }) => hex(id)));

/** A `next` key is already with some pods, so it is better than a fresh one. */
function withActive(keys: readonly RingKey[], fresh: FreshKey, now: number): readonly RingKey[] {
  if (keys.some(inState('active'))) return keys;
  if (!keys.some(inState('next'))) return [...keys, keyFrom(fresh, 'active', now)];
  return keys.map((key) => (key.state === 'next' ? { ...key, state: 'active' } : key));
}

const destroyExpired: Step = (draft, { now, policy }) => {
  const expired = draft.keys.filter((key) => key.openUntil !== undefined && key.openUntil <= now);
  const after =
    expired.length === 0
      ? draft
      : changed(draft, 'Destroyed', expired, { keys: draft.keys.filter((key) => !expired.includes(key)) });
  const forgettable = draft.revoked.filter(({ id, until }) => until <= now && !isListed(id, policy));
  if (forgettable.length === 0) return after;
  return changed(
    after,
    'Forgotten',
    forgettable.map(({ id }) => hex(id)),
    { revoked: draft.revoked.filter((entry) => !forgettable.includes(entry)) },
  );
};

/** Once no pod seals with a retired key any more, the end of its last ticket is known. */
const settle: Step = (draft, { now, policy, acknowledged }) => {
  const open = draft.keys.filter((key) => key.state === 'retired' && key.openUntil === undefined);
  if (!acknowledged || open.length === 0) return draft;
  const openUntil = now + policy.retentionMs;
  return changed(draft, 'Settled', open, { keys: draft.keys.map((key) => (open.includes(key) ? { ...key, openUntil } : key)) });
};

const promote: Step = (draft, { acknowledged }) => {
  const next = draft.keys.find(inState('next'));
  if (!acknowledged || !next) return draft;
  return changed(draft, 'Promoted', [next], { keys: draft.keys.map(succeed) });
};

function succeed(key: RingKey): RingKey {
  if (key.state === 'next') return { ...key, state: 'active' };
  return key.state === 'active' ? { ...key, state: 'retired' } : key;
}

/** One change of role at a time, so that what pods acknowledge is what happened. */
const publish: Step = (draft, { now, policy, fresh }) => {
  const active = draft.keys.find(inState('active'));
  const isBusy = draft.keys.some(inState('next')) || draft.changes.some(({ what }) => what === 'Promoted' || what === 'Revoked');
  if (policy.suspended || isBusy || isFull(draft) || !active) return draft;
  if (policy.rotationToken === draft.rotationToken && now < active.createdAt + policy.rotationMs) return draft;
  const next = keyFrom(fresh, 'next', now);
  return changed(draft, 'Published', [next], { keys: [...draft.keys, next], rotationToken: policy.rotationToken });
};

const isListed = (id: Uint8Array, policy: RingPolicy): boolean => policy.revokedIds.includes(hex(id));
