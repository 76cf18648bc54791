/** What whoever drives a local cluster sees of it. */
import type { Manifest } from '../plan/plan.ts';
import type { LocalPod } from './local-pod.ts';
import { isDeleting } from './object-store.ts';
import { ordinalOf, podAddress, podReady } from './pod-object.ts';

export interface LocalPodView {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly ordinal: number;
  readonly pid: number | undefined;
  readonly ready: boolean;
  readonly terminating: boolean;
  readonly restarts: number;
  readonly address: string | undefined;
}

export interface ServiceView {
  readonly address: string;
  readonly ikePort: number;
  readonly natPort: number;
}

export function podView(pod: Manifest, local: LocalPod | undefined): LocalPodView {
  const { namespace, name, uid = '' } = pod.metadata;
  return {
    namespace,
    name,
    uid,
    ordinal: ordinalOf(pod),
    pid: local?.pid,
    ready: podReady(pod),
    terminating: isDeleting(pod),
    restarts: local?.restarts ?? 0,
    address: podAddress(pod),
  };
}
