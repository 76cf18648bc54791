/** Numbers and names that change all the time are shown as they were at the last sample, so that a status is not written all the time. */
import { formatTime, parseTime } from '../../crds/v1alpha1/time.ts';
import type { Acknowledgements } from './acknowledgements.ts';

const EVERY_MS = 60_000;
/** Names in a list of the status. */
const SHOWN = 10;

export interface Sample {
  readonly waitingFor: readonly string[];
  readonly passedOver: readonly string[];
  readonly sessions: number;
  /** RFC 3339. */
  readonly sampledAt: string;
}

/** What was shown before; fields that a status does not have are left out. */
export type ShownSample = { readonly [Name in keyof Sample]?: Sample[Name] } & { readonly generation?: number };

/** A new sample when the last is a minute old, speaks of another generation of the ring, or no longer names the pods in the way. */
export function sample(
  shown: ShownSample | undefined,
  acks: Acknowledgements,
  sessions: number,
  generation: number,
  now: number,
): Sample {
  const taken: Sample = {
    waitingFor: acks.waitingFor.slice(0, SHOWN),
    passedOver: acks.passedOver.slice(0, SHOWN),
    sessions,
    sampledAt: formatTime(now),
  };
  const { waitingFor = [], passedOver = [], sampledAt } = shown ?? {};
  const age = now - (parseTime(sampledAt ?? '') ?? 0);
  const isFresh = age >= 0 && age < EVERY_MS && shown?.generation === generation;
  const isApt = waitingFor.length > 0 === acks.waitingFor.length > 0;
  if (!isFresh || !isApt || sampledAt === undefined) return taken;
  return { waitingFor, passedOver, sessions: shown?.sessions ?? sessions, sampledAt };
}

export const nextSampleAt = ({ sampledAt }: Sample): number => (parseTime(sampledAt) ?? 0) + EVERY_MS;

const QUICKEST_MS = 1_000;
const SLOWEST_MS = 30_000;

/** When to ask pods again that have not acknowledged: the longer it lasts, the more seldom. */
export function pollAt(since: number, now: number): number {
  return now + Math.min(SLOWEST_MS, Math.max(QUICKEST_MS, (now - since) / 8));
}

export const earliest = (...instants: readonly (number | undefined)[]): number | undefined => {
  const known = instants.filter((at) => at !== undefined);
  return known.length > 0 ? Math.min(...known) : undefined;
};
