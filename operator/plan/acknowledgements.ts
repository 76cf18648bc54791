/** Which pods have proved that they loaded a ring, and for which of the others a rotation waits. */
import { acknowledgement } from '../../sidecar/contract/acknowledgement.ts';
import type { KeyRing } from '../../sidecar/contract/key-ring.ts';
import type { Pod } from './plan.ts';

export interface Acknowledgements {
  /** Names of pods that hold a rotation up; empty: it may go on. */
  readonly waitingFor: readonly string[];
  /** Names of pods that have been not ready for too long to be waited for. */
  readonly passedOver: readonly string[];
  /** No pod has to acknowledge anything: none lives, or all are passed over. */
  readonly nobody: boolean;
}

export function acknowledgements(ring: KeyRing, pods: readonly Pod[], ackTimeoutMs: number, now: number): Acknowledgements {
  const counted = pods.filter(isAlive);
  const behind = counted.filter((pod) => !hasAcknowledged(ring, pod));
  const isPassedOver = (pod: Pod): boolean => !pod.ready && now - pod.readyChangedAt >= ackTimeoutMs;
  return {
    waitingFor: names(behind.filter((pod) => !isPassedOver(pod))),
    passedOver: names(behind.filter(isPassedOver)),
    nobody: counted.every(isPassedOver),
  };
}

/** Whether it may still seal or open tickets, or will. */
export const isAlive = (pod: Pod): boolean => !pod.terminating && !pod.finished;

/** Only a holder of the ring's secrets can answer for this pod, ring and generation. */
export const hasAcknowledged = (ring: KeyRing, pod: Pod): boolean =>
  pod.report !== undefined && equalInConstantTime(pod.report.acknowledgement, acknowledgement(ring, pod.uid));

function equalInConstantTime(given: string, expected: string): boolean {
  let difference = given.length ^ expected.length;
  for (let i = 0; i < expected.length; i++) difference |= given.charCodeAt(i) ^ expected.charCodeAt(i);
  return difference === 0;
}

const names = (pods: readonly Pod[]): string[] => pods.map((pod) => pod.name).sort();
