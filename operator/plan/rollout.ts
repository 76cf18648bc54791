/** Which pod goes next: one of an older template at a time, and at once those whose node does not answer. */
import { parseSpan } from '../../crds/v1alpha1/time.ts';
import { isSettled } from './checks.ts';
import type { GatewayFacts } from './facts.ts';
import type { PlannedEvent, Pod, PodRef } from './plan.ts';

/** At most one pod; none while another is on its way out or in. */
export function nextEviction(facts: GatewayFacts): readonly PodRef[] {
  const { alive, outdated, wanted, observed } = facts;
  if (outdated.length === 0 || observed.pods.some((pod) => pod.terminating)) return [];
  const latest = alive.filter((pod) => !outdated.includes(pod));
  if (!latest.every((pod) => isSettled(facts, pod))) return [];
  // One that does not work anyway goes first, even where others are missing.
  const [broken] = outdated.filter((pod) => !pod.ready);
  if (broken) return [reference(facts, broken)];
  const [highest] = outdated.toSorted((a, b) => b.ordinal - a.ordinal);
  return highest && alive.length >= wanted ? [reference(facts, highest)] : [];
}

/** Two pods of one ordinal for a while do no harm: each start has an incarnation of its own. */
export function lostPods(facts: GatewayFacts): {
  readonly forceDelete: readonly PodRef[];
  readonly events: readonly PlannedEvent[];
} {
  const graceMs = parseSpan(facts.gateway.spec.nodeLossGrace);
  const lost = facts.observed.pods.filter((pod) => graceMs > 0 && lostFor(pod, facts.observed.now) >= graceMs);
  return {
    forceDelete: lost.map((pod) => reference(facts, pod)),
    events: lost.map((pod) => ({
      type: 'Warning',
      reason: 'NodeLost',
      message: `the node of pod ${pod.name} has not answered for ${facts.gateway.spec.nodeLossGrace}; the pod is deleted by force so that its ordinal lives elsewhere`,
    })),
  };
}

/** When the next pod will have been lost for long enough. */
export function nextLossAt({ gateway, observed: { pods, now } }: GatewayFacts): number | undefined {
  const graceMs = parseSpan(gateway.spec.nodeLossGrace);
  const ends = pods.flatMap(({ nodeLostAt }) => (graceMs > 0 && nodeLostAt !== undefined ? [nodeLostAt + graceMs] : []));
  const coming = ends.filter((at) => at > now);
  return coming.length > 0 ? Math.min(...coming) : undefined;
}

const lostFor = ({ nodeLostAt }: Pod, now: number): number => (nodeLostAt === undefined ? -1 : now - nodeLostAt);

const reference = ({ gateway }: GatewayFacts, { name, uid }: Pod): PodRef => ({
  name,
  namespace: gateway.metadata.namespace,
  uid,
});
