/** The plan for a VpnGateway: its children, its pods' replacement, its own ring where it names no TicketKey, and its status. */
import { parseTime } from '../../crds/v1alpha1/time.ts';
import { blocking, firstFailing, working } from './checks.ts';
import type { Shown } from './conditions.ts';
import { dataplaneConfig } from './dataplane-config.ts';
import { holds, marked } from './difference.ts';
import { child, type GatewayFacts, gather, standingStill } from './facts.ts';
import { gatewayConfig } from './gateway-config.ts';
import { gatewayStatus } from './gateway-status.ts';
import { quietUntil, urgentTouches } from './key-ring.ts';
import { clientService } from './manifests/client-service.ts';
import { configSecret } from './manifests/config-secret.ts';
import { headlessService } from './manifests/headless-service.ts';
import { networkPolicy } from './manifests/network-policy.ts';
import { owns } from './manifests/ownership.ts';
import { podDisruptionBudget } from './manifests/pod-disruption-budget.ts';
import { serviceAccount } from './manifests/service-account.ts';
import { statefulSet } from './manifests/stateful-set.ts';
import { KEY_RING_LABEL, ownRing } from './names.ts';
import { NOTHING } from './nothing.ts';
import type { Failing, GatewayObserved, Manifest, Plan, Ref } from './plan.ts';
import { ringEvents, waitingSince } from './ring-report.ts';
import { lostPods, nextEviction, nextLossAt } from './rollout.ts';
import { earliest, nextSampleAt, pollAt } from './samples.ts';
import { dueAt } from './ticket-keys.ts';

export function planGateway(observed: GatewayObserved): Plan {
  // The garbage collector takes the children along.
  if (observed.resource.metadata.deletionTimestamp !== undefined) return NOTHING;
  const wished = gather(observed);
  const blocked = firstFailing(blocking, wished);
  const idle = blocked !== undefined || wished.gateway.spec.paused;
  const facts = idle ? standingStill(wished) : wished;
  const acts = idle ? NOTHING : deeds(facts);
  const failing = blocked ?? firstFailing(working, facts);
  const { status, events, sample } = gatewayStatus(facts, failing);
  return {
    ...acts,
    status,
    events: [...acts.events, ...events],
    checkAgainAt: earliest(
      acts.checkAgainAt,
      sample && facts.alive.length > 0 ? nextSampleAt(sample) : undefined,
      pollingAt(facts, failing),
    ),
  };
}

function deeds(facts: GatewayFacts): Plan {
  const { observed, gateway, policy, ring } = facts;
  const own = ring.kept && !gateway.spec.ticketKeyRef ? ring : undefined;
  const { forceDelete, events } = lostPods(facts);
  return {
    ...NOTHING,
    guarded: own?.guarded ?? [],
    apply: childrenOf(facts)
      .map(marked)
      .filter((manifest) => !holds(manifest, child(observed.children, manifest.kind, manifest.metadata.name))),
    remove: abandonedRing(facts),
    evict: forceDelete.length > 0 ? [] : nextEviction(facts),
    forceDelete,
    touch: own ? urgentTouches(own.kept, observed.pods, gateway.metadata.namespace) : [],
    events: [...events, ...ringEvents(own?.changes ?? [])],
    checkAgainAt: earliest(own && dueAt(own.kept, policy), own && quietUntil(own.kept, own.acks), nextLossAt(facts)),
  };
}

/** In the order in which they are needed. */
function childrenOf({ gateway, policy, wanted, template, observed: { placement } }: GatewayFacts): readonly Manifest[] {
  return [
    serviceAccount(gateway),
    configSecret(
      gateway,
      gatewayConfig(gateway, policy.ticketLifetimeMs, wanted, placement),
      dataplaneConfig(gateway, placement),
    ),
    headlessService(gateway, placement),
    clientService(gateway),
    networkPolicy(gateway, placement),
    podDisruptionBudget(gateway),
    statefulSet(gateway, template),
  ];
}

/** The gateway's own ring, once it uses another and no pod has the old one any more. */
function abandonedRing({ gateway, observed: { children, pods } }: GatewayFacts): readonly Ref[] {
  const { name, namespace } = gateway.metadata;
  const secret = child(children, 'Secret', ownRing(name));
  const isInUse = !gateway.spec.ticketKeyRef || pods.some((pod) => pod.labels[KEY_RING_LABEL] === ownRing(name));
  return secret && !isInUse && owns(gateway, secret)
    ? [{ apiVersion: 'v1', kind: 'Secret', namespace, name: ownRing(name) }]
    : [];
}

/** Pods are asked again while something about them is expected to change without anybody saying so. */
function pollingAt({ ring, gateway, observed: { now } }: GatewayFacts, failing: Failing | undefined): number | undefined {
  const shown = gateway.status?.conditions ?? [];
  const acks = ring.kept && ring.acks.waitingFor.length > 0 ? pollAt(waitingSince(ring.kept, shown, now), now) : undefined;
  return earliest(acks, failing && !failing.stalled ? pollAt(since(shown, failing, now), now) : undefined);
}

function since(shown: readonly Shown[], { reason }: Failing, now: number): number {
  const ready = shown.find(({ type }) => type === 'Ready');
  return ready?.reason === reason ? (parseTime(ready.lastTransitionTime) ?? now) : now;
}
