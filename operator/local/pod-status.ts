/** The status that a kubelet writes for a pod. */
import type { Manifest } from '../plan/plan.ts';
import { conditionOf } from './pod-object.ts';
import type { Exit } from './pod-process.ts';

export interface PodState {
  readonly ready: boolean;
  readonly restarts: number;
  /** Why no container runs, undefined while one does. */
  readonly waiting: { readonly reason: string; readonly message: string } | undefined;
  /** How the last run ended. */
  readonly finished: Exit | undefined;
}

/** `before` tells since when the pod is (not) ready. */
export function podStatus(before: Manifest, state: PodState, address: string, now: number): Readonly<Record<string, unknown>> {
  const { ready, restarts, waiting, finished } = state;
  return {
    phase: waiting && restarts === 0 ? 'Pending' : 'Running',
    podIP: address,
    podIPs: [{ ip: address }],
    conditions: [readyCondition(before, ready, now)],
    containerStatuses: [
      {
        name: 'sidecar',
        ready,
        restartCount: restarts,
        state: containerState(waiting),
        lastState: finished ? { terminated: { exitCode: finished.code ?? 137, signal: finished.signal } } : {},
      },
    ],
  };
}

/** Between an end and the first start after it a container is not waiting, it is terminated. */
function containerState(waiting: PodState['waiting']): Readonly<Record<string, unknown>> {
  if (!waiting) return { running: {} };
  return waiting.reason === 'Terminated' ? { terminated: { reason: 'Error', message: waiting.message } } : { waiting };
}

function readyCondition(before: Manifest, ready: boolean, now: number): Readonly<Record<string, unknown>> {
  const known = conditionOf(before, 'Ready');
  const status = ready ? 'True' : 'False';
  const lastTransitionTime = known?.['status'] === status ? known['lastTransitionTime'] : new Date(now).toISOString();
  return { type: 'Ready', status, lastTransitionTime };
}
