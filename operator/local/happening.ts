/** What is worth telling of a local cluster, as values: for the display, for `--json`, and for whoever drives it. */
import { formatProblem, type Problem } from '../../sidecar/contract/problem.ts';
import type { Change } from '../kube/cluster.ts';
import type { Manifest } from '../plan/plan.ts';
import type { LocalEvent } from './event-log.ts';
import { isDeleting } from './object-store.ts';
import { mappings, podReady, statusOf } from './pod-object.ts';

export type Happening =
  | { readonly event: 'started'; readonly network: string; readonly state: string }
  | { readonly event: 'manifest'; readonly object: string; readonly change: 'created' | 'changed' | 'removed' }
  | { readonly event: 'refused'; readonly file: string; readonly problems: readonly string[] }
  | { readonly event: 'warning'; readonly problems: readonly string[] }
  | {
      readonly event: 'condition';
      readonly object: string;
      readonly type: string;
      readonly status: string;
      readonly reason: string;
      readonly message: string;
    }
  | {
      readonly event: 'event';
      readonly object: string;
      readonly type: string;
      readonly reason: string;
      readonly message: string;
      readonly count: number;
    }
  | {
      readonly event: 'pod';
      readonly pod: string;
      readonly change: 'created' | 'ready' | 'not-ready' | 'terminating' | 'gone';
      readonly address?: string;
    }
  | { readonly event: 'service'; readonly object: string; readonly address: string; readonly ports: readonly number[] }
  | { readonly event: 'failure'; readonly message: string }
  | { readonly event: 'stopping' }
  | { readonly event: 'stopped' };

export const nameOf = ({ kind, metadata }: Pick<Manifest, 'kind' | 'metadata'>): string =>
  `${kind} ${metadata.namespace}/${metadata.name}`;

export const fromProblems = (problems: readonly Problem[]): readonly string[] => problems.map(formatProblem);

export const fromEvent = ({ kind, namespace, name, type, reason, message, count }: LocalEvent): Happening => ({
  event: 'event',
  object: `${kind} ${namespace}/${name}`,
  type,
  reason,
  message,
  count,
});

/** What a change of the store means to somebody who watches. */
export function fromChange({ kind, before, after }: Change): readonly Happening[] {
  if (kind === 'Pod') return podHappenings(before, after);
  return (kind === 'VpnGateway' || kind === 'TicketKey') && after ? conditionHappenings(before, after) : [];
}

function podHappenings(before: Manifest | undefined, after: Manifest | undefined): readonly Happening[] {
  const pod = (after ?? before)?.metadata.name ?? '';
  if (!after) return [{ event: 'pod', pod, change: 'gone' }];
  if (!before) return [{ event: 'pod', pod, change: 'created' }];
  const address = `${statusOf(after)['podIP']}`;
  const changes: Happening[] = [];
  if (podReady(after) && !podReady(before)) changes.push({ event: 'pod', pod, change: 'ready', address });
  if (!podReady(after) && podReady(before)) changes.push({ event: 'pod', pod, change: 'not-ready' });
  if (isDeleting(after) && !isDeleting(before)) changes.push({ event: 'pod', pod, change: 'terminating' });
  return changes;
}

function conditionHappenings(before: Manifest | undefined, after: Manifest): readonly Happening[] {
  const known = mappings(before && statusOf(before)['conditions']);
  return mappings(statusOf(after)['conditions']).flatMap(({ type, status, reason, message }) => {
    const old = known.find((condition) => condition['type'] === type);
    const same = old && old['status'] === status && old['reason'] === reason && old['message'] === message;
    if (same || (!old && status === 'False' && reason === 'Settled')) return [];
    return [
      {
        event: 'condition',
        object: nameOf(after),
        type: `${type}`,
        status: `${status}`,
        reason: `${reason}`,
        message: `${message}`,
      },
    ];
  });
}
