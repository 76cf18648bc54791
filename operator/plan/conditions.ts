/** Status conditions by the conventions of the Kubernetes API and of kstatus, and the events that go with their changes. */
import { formatTime } from '../../crds/v1alpha1/time.ts';
import type { Condition, Failing, PlannedEvent, Reason } from './plan.ts';

export type Draft = Omit<Condition, 'observedGeneration' | 'lastTransitionTime'>;

/** As the schema gives them: a condition that somebody else wrote may have any words in it. */
export interface Shown {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly lastTransitionTime: string;
}

/** Ready, Reconciling and Stalled from the first check that failed. */
export function readiness(failing: Failing | undefined, good: { readonly reason: Reason; readonly message: string }): Draft[] {
  const { reason, message } = failing ?? good;
  const stalled = failing?.stalled === true;
  const settled = { status: 'False', reason: 'Settled', message: '' } as const;
  return [
    { type: 'Ready', status: failing ? 'False' : 'True', reason, message },
    { type: 'Reconciling', ...(failing && !stalled ? { status: 'True', reason, message } : settled) },
    { type: 'Stalled', ...(stalled ? { status: 'True', reason, message } : settled) },
  ];
}

/** With the time of the last transition kept where the status is the same. */
export function conditions(drafts: readonly Draft[], shown: readonly Shown[], generation: number, now: number): Condition[] {
  return drafts.map((draft) => {
    const before = shown.find(({ type }) => type === draft.type);
    const since = before?.status === draft.status ? before.lastTransitionTime : formatTime(now);
    return { ...draft, message: short(draft.message), observedGeneration: generation, lastTransitionTime: since };
  });
}

/** Waiting for these needs nobody's attention. */
const ORDINARY: readonly Reason[] = ['KeyRingPending', 'PodsStarting', 'RollingOut', 'ConfigLoading', 'Deleting'];

/** An event when Ready has a new reason, and when pods stay behind the key ring for too long. */
export function transitions(drafts: readonly Draft[], shown: readonly Shown[]): PlannedEvent[] {
  const isNew = ({ type, reason }: Draft): boolean => reason !== shown.find((before) => before.type === type)?.reason;
  return drafts
    .filter((draft) => (draft.type === 'Ready' || draft.reason === 'PodsBehind') && isNew(draft))
    .map(({ status, reason, message }) => ({
      type: status === 'True' || ORDINARY.includes(reason) ? 'Normal' : 'Warning',
      reason,
      message: short(message),
    }));
}

/** What an event may have. */
const LONGEST = 1_024;

const short = (message: string): string => (message.length > LONGEST ? `${message.slice(0, LONGEST - 1)}…` : message);
