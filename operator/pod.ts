/** Reads from a Pod's (and its Node's) JSON what a plan needs. */
import type { Manifest, Pod, PodReport } from './plan/plan.ts';

export interface PodTrouble {
  readonly reason: string;
  readonly message: string;
}

/** What is not in the Pod object itself. */
export interface PodSurroundings {
  readonly report: PodReport | undefined;
  readonly nodeLostAt: number | undefined;
  /** Of its events. */
  readonly trouble: PodTrouble | undefined;
}

export function readPod(pod: Manifest, { report, nodeLostAt, trouble }: PodSurroundings): Pod {
  const { metadata } = pod;
  const ready = condition(pod, 'Ready');
  return {
    name: metadata.name,
    uid: metadata.uid ?? '',
    ordinal: Number(/-(\d+)$/.exec(metadata.name)?.[1] ?? 0),
    labels: metadata.labels ?? {},
    annotations: metadata.annotations ?? {},
    terminating: metadata['deletionTimestamp'] !== undefined,
    finished: ['Succeeded', 'Failed'].includes(`${mapping(pod['status'])['phase']}`),
    ready: isReady(pod),
    readyChangedAt: time(ready?.['lastTransitionTime']) ?? time(metadata['creationTimestamp']) ?? 0,
    nodeLostAt,
    waiting: waiting(pod, trouble),
    report,
  };
}

export const isReady = (pod: Manifest): boolean => condition(pod, 'Ready')?.['status'] === 'True';

/** Its containers do not exist yet. */
export const isBeingMade = (pod: Manifest): boolean =>
  containersWaiting(pod).some(({ reason }) => BEING_MADE.includes(`${reason}`));

export function nodeOf(pod: Manifest): string | undefined {
  const nodeName = mapping(pod['spec'])['nodeName'];
  return typeof nodeName === 'string' ? nodeName : undefined;
}

export function podAddress(pod: Manifest): string | undefined {
  const address = mapping(pod['status'])['podIP'];
  return typeof address === 'string' ? address : undefined;
}

/** Since when the node controller has not heard of the node, or it says that it cannot run pods. */
export function notReadySince(node: Manifest): number | undefined {
  const ready = condition(node, 'Ready');
  return ready && ready['status'] !== 'True' ? time(ready['lastTransitionTime']) : undefined;
}

const BEING_MADE = ['ContainerCreating', 'PodInitializing'];

function waiting(pod: Manifest, trouble: PodTrouble | undefined): PodTrouble | undefined {
  const { phase, reason, message } = mapping(pod['status']);
  // Its kubelet would not take it (SysctlForbidden, UnexpectedAdmissionError), or sent it away.
  if (phase === 'Failed' && reason !== undefined) return { reason: `${reason}`, message: `${message ?? ''}` };
  const scheduled = condition(pod, 'PodScheduled');
  if (scheduled?.['status'] === 'False') return { reason: `${scheduled['reason']}`, message: `${scheduled['message'] ?? ''}` };
  if (trouble) return trouble;
  const stuck = containersWaiting(pod).find(({ reason }) => !BEING_MADE.includes(`${reason}`));
  return stuck && { reason: `${stuck['reason']}`, message: `${stuck['message'] ?? ''}` };
}

function containersWaiting(pod: Manifest): readonly Readonly<Record<string, unknown>>[] {
  const status = mapping(pod['status']);
  const states = [...list(status['initContainerStatuses']), ...list(status['containerStatuses'])].map(
    (container) => mapping(mapping(container)['state'])['waiting'],
  );
  return states.filter((state) => state !== undefined).map(mapping);
}

function condition(object: Manifest, type: string): Readonly<Record<string, unknown>> | undefined {
  return list(mapping(object['status'])['conditions'])
    .map(mapping)
    .find((candidate) => candidate['type'] === type);
}

function time(value: unknown): number | undefined {
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

const mapping = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? { ...value } : {};

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
