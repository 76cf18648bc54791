/** Whether a PodDisruptionBudget lets a pod be evicted now, as the eviction API decides it. */
import type { Manifest } from '../plan/plan.ts';
import { isMapping, type Json } from './field-ownership.ts';
import { isDeleting } from './object-store.ts';
import { podReady } from './pod-object.ts';

/** `budgets` and `pods` are all of the namespace; `expected` is how many replicas the pod's owner wants. Answers why not, if not. */
export function disruptionForbidden(
  pod: Manifest,
  budgets: readonly Manifest[],
  pods: readonly Manifest[],
  expected: (selected: readonly Manifest[]) => number,
): string | undefined {
  // unhealthyPodEvictionPolicy AlwaysAllow, the only one that we write.
  if (!podReady(pod) || isDeleting(pod)) return undefined;
  for (const budget of budgets.filter((candidate) => matches(selectorOf(candidate), pod))) {
    const selected = pods.filter((other) => matches(selectorOf(budget), other));
    const healthy = selected.filter((other) => podReady(other) && !isDeleting(other)).length;
    const needed = neededOf(budget, expected(selected));
    if (healthy - 1 < needed) {
      return `PodDisruptionBudget ${budget.metadata.name} needs ${needed} healthy pods and there are ${healthy} with this one`;
    }
  }
  return undefined;
}

function neededOf({ spec }: Manifest, expected: number): number {
  if (!isMapping(spec)) return 0;
  if (typeof spec['minAvailable'] === 'number') return spec['minAvailable'];
  return typeof spec['maxUnavailable'] === 'number' ? expected - spec['maxUnavailable'] : 0;
}

function selectorOf({ spec }: Manifest): Json {
  const selector = isMapping(spec) ? spec['selector'] : undefined;
  return isMapping(selector) ? selector['matchLabels'] : undefined;
}

/** An empty selector selects nothing here: we never write one. */
function matches(labels: Json, pod: Manifest): boolean {
  if (!isMapping(labels)) return false;
  return Object.entries(labels).every(([name, value]) => pod.metadata.labels?.[name] === value);
}
