/** What the decisions about a gateway rest on, worked out once from what was observed. */
import type { VpnGateway } from '../../crds/v1alpha1/vpngateway.ts';
import { isAlive } from './acknowledgements.ts';
import { isMapping } from './difference.ts';
import { driveRing, lookAtRing, type RingOutcome } from './key-ring.ts';
import { gatewayLabels, ownerOf } from './manifests/ownership.ts';
import { type PodTemplate, podTemplate } from './manifests/pod-template.ts';
import { ringRef, TEMPLATE_LABEL } from './names.ts';
import type { GatewayObserved, Manifest, Pod } from './plan.ts';
import { OWN_RING_POLICY, type RingPolicy, ringPolicy } from './ring-policy.ts';
import { rememberedRing } from './ring-report.ts';

export interface GatewayFacts {
  readonly observed: GatewayObserved;
  readonly gateway: VpnGateway;
  readonly policy: RingPolicy;
  readonly ring: RingOutcome;
  readonly template: PodTemplate;
  /** How many pods there shall be. */
  readonly wanted: number;
  /** Neither terminating nor finished. */
  readonly alive: readonly Pod[];
  /** Those of another template. */
  readonly outdated: readonly Pod[];
}

export function gather(observed: GatewayObserved): GatewayFacts {
  const { resource: gateway, ticketKey, pods, placement } = observed;
  const policy = ticketKey ? ringPolicy(ticketKey.spec) : OWN_RING_POLICY;
  const template = podTemplate(gateway, placement);
  const alive = pods.filter(isAlive);
  return {
    observed,
    gateway,
    policy,
    ring: ring(observed, policy),
    template,
    wanted: gateway.spec.replicas ?? replicasOf(child(observed.children, 'StatefulSet', gateway.metadata.name)) ?? 1,
    alive,
    outdated: alive.filter((pod) => pod.labels[TEMPLATE_LABEL] !== template.metadata.labels[TEMPLATE_LABEL]),
  };
}

export const child = (children: readonly Manifest[], kind: string, name: string): Manifest | undefined =>
  children.find((manifest) => manifest.kind === kind && manifest.metadata.name === name);

/** With the ring as it is, for a plan that writes nothing. */
export const standingStill = (facts: GatewayFacts): GatewayFacts => ({
  ...facts,
  ring: ringAsItIs(facts.observed, facts.policy),
});

const ringAsItIs = ({ resource, ring: secret, pods, now }: GatewayObserved, { ackTimeoutMs }: RingPolicy): RingOutcome =>
  lookAtRing(ringRef(resource), secret, pods, ackTimeoutMs, now);

/** A gateway without a TicketKey keeps a ring of its own. */
function ring(observed: GatewayObserved, policy: RingPolicy): RingOutcome {
  const { resource, ring: secret, pods, fresh, now } = observed;
  const ref = ringRef(resource);
  if (resource.spec.ticketKeyRef) return ringAsItIs(observed, policy);
  const shown = resource.status?.keyRing;
  const remembered = rememberedRing(shown?.secretName === ref.name ? shown : undefined);
  return driveRing({
    ref,
    owner: ownerOf(resource),
    labels: gatewayLabels(resource),
    secret,
    remembered,
    policy,
    pods,
    fresh,
    now,
  });
}

function replicasOf(statefulSet: Manifest | undefined): number | undefined {
  const spec = statefulSet?.['spec'];
  const replicas = isMapping(spec) ? spec['replicas'] : undefined;
  return typeof replicas === 'number' ? replicas : undefined;
}
