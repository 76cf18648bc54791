/** The plan for a VpnGateway: its children, its pods' replacement, its own ring where it names no TicketKey, and its status. */
import { blocking, firstFailing } from './checks.ts';
import { holds, marked } from './difference.ts';
import { child, type GatewayFacts, gather } from './facts.ts';
import { gatewayConfig } from './gateway-config.ts';
import { gatewayStatus } from './gateway-status.ts';
import { urgentTouches } from './key-ring.ts';
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
  const facts = gather(observed);
  const blocked = firstFailing(blocking, facts);
  const acts = blocked || facts.gateway.spec.paused ? NOTHING : deeds(facts);
  const { status, events, sample } = gatewayStatus(facts, blocked);
  return {
    ...acts,
    status,
    events: [...acts.events, ...events],
    checkAgainAt: earliest(
      acts.checkAgainAt,
      sample && facts.alive.length > 0 ? nextSampleAt(sample) : undefined,
      pollingAt(facts, blocked),
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
    checkAgainAt: earliest(own && dueAt(own.kept, policy), nextLossAt(facts)),
  };
}

/** In the order in which they are needed. */
function childrenOf({ gateway, policy, wanted, template, observed: { placement } }: GatewayFacts): readonly Manifest[] {
  return [
    serviceAccount(gateway),
    configSecret(gateway, gatewayConfig(gateway, policy.ticketLifetimeMs, wanted, placement)),
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

/** Pods are asked again while something about them is expected to change without an event. */
function pollingAt({ ring, gateway, observed: { now } }: GatewayFacts, blocked: Failing | undefined): number | undefined {
  if (blocked) return blocked.stalled ? undefined : now + 30_000;
  if (!ring.kept || ring.acks.waitingFor.length === 0) return undefined;
  return pollAt(waitingSince(ring.kept, gateway.status?.conditions ?? [], now), now);
}
