/** What the status of a VpnGateway says. */
import { formatTime } from '../../crds/v1alpha1/time.ts';
import type { VpnGatewayStatus } from '../../crds/v1alpha1/vpngateway.ts';
import { conditions, type Draft, readiness, transitions } from './conditions.ts';
import { dataplaneCondition, shownDataplane } from './dataplanes.ts';
import { isMapping, isSame } from './difference.ts';
import { child, type GatewayFacts } from './facts.ts';
import { selectorOf } from './manifests/ownership.ts';
import { ringRef } from './names.ts';
import type { Failing, PlannedEvent } from './plan.ts';
import { acknowledgedCondition, shownRing } from './ring-report.ts';
import { type Sample, sample as take } from './samples.ts';
import { rotationDueAt } from './ticket-keys.ts';

export interface Report {
  /** Undefined when it is what is already shown. */
  readonly status: VpnGatewayStatus | undefined;
  readonly events: readonly PlannedEvent[];
  readonly sample: Sample | undefined;
}

export function gatewayStatus(facts: GatewayFacts, failing: Failing | undefined): Report {
  const { gateway, observed } = facts;
  const before = gateway.status;
  const shown = before?.conditions ?? [];
  const sample = sampleOf(facts);
  const drafts = draftsOf(facts, failing, sample);
  const status: VpnGatewayStatus = {
    observedGeneration: gateway.metadata.generation,
    ...countsOf(facts),
    selector: Object.entries(selectorOf(gateway))
      .map(([label, value]) => `${label}=${value}`)
      .join(','),
    addresses: addressesOf(facts),
    ...shownDataplane(facts),
    ...(sample ?? {}),
    ...keyRingOf(facts),
    conditions: conditions(drafts, shown, gateway.metadata.generation, observed.now),
  };
  return { status: isSame(status, before) ? undefined : status, events: transitions(drafts, shown), sample };
}

function sampleOf({ ring, gateway, alive, observed: { now } }: GatewayFacts): Sample | undefined {
  if (!ring.kept) return undefined;
  const sessions = alive.reduce((sum, { report }) => sum + (report?.sessions ?? 0), 0);
  const { status } = gateway;
  const shown = status && {
    ...status,
    ...(status.keyRing?.generation === undefined ? {} : { generation: status.keyRing.generation }),
  };
  return take(shown, ring.acks, sessions, ring.kept.ring.generation, now);
}

function draftsOf(facts: GatewayFacts, failing: Failing | undefined, sample: Sample | undefined): Draft[] {
  const { ring, policy, gateway, wanted, observed } = facts;
  const shown = gateway.status?.conditions ?? [];
  const message = wanted === 0 ? 'no pod is wanted' : `${wanted} of ${wanted} pods serve`;
  const ready = readiness(failing, { reason: 'Ready', message });
  const dataplane = dataplaneCondition(facts);
  return [
    ...(gateway.spec.paused ? ready.map(standStill) : ready),
    ...(dataplane ? [dataplane] : []),
    ...(ring.kept ? [acknowledgedCondition(ring, sample?.waitingFor ?? [], shown, policy, observed.now)] : []),
    ...(gateway.spec.paused ? [PAUSED] : []),
  ];
}

const PAUSED: Draft = {
  type: 'Paused',
  status: 'True',
  reason: 'Paused',
  message: 'the operator changes nothing while spec.paused is true',
};

/** A paused gateway makes no progress. */
const standStill = (draft: Draft): Draft =>
  draft.type === 'Reconciling' ? { ...PAUSED, type: 'Reconciling', status: 'False' } : draft;

const countsOf = ({ alive, outdated }: GatewayFacts) => ({
  replicas: alive.length,
  readyReplicas: alive.filter(({ ready }) => ready).length,
  updatedReplicas: alive.length - outdated.length,
});

/** While there is no ring, what is known of the last one stays: it tells a lost ring from one that never was. */
function keyRingOf({ ring, gateway, policy }: GatewayFacts): Pick<VpnGatewayStatus, 'keyRing'> {
  if (!ring.kept) return gateway.status?.keyRing ? { keyRing: gateway.status.keyRing } : {};
  const next = gateway.spec.ticketKeyRef ? undefined : rotationDueAt(ring.kept.ring, policy);
  return {
    keyRing: {
      secretName: ringRef(gateway).name,
      ...shownRing(ring.kept),
      ...(next === undefined ? {} : { nextRotationTime: formatTime(next) }),
    },
  };
}

/** Of the load balancer where there is one, else of the Service inside the cluster. */
function addressesOf({ gateway, observed: { children } }: GatewayFacts): string[] {
  const service = child(children, 'Service', gateway.metadata.name);
  const inside = isMapping(service?.['spec']) ? service['spec']['clusterIP'] : undefined;
  if (gateway.spec.exposure !== 'LoadBalancer')
    return typeof inside === 'string' && gateway.spec.exposure === 'ClusterIP' ? [inside] : [];
  return ingressOf(service?.['status']).flatMap((entry) => {
    const address = isMapping(entry) ? (entry['ip'] ?? entry['hostname']) : undefined;
    return typeof address === 'string' ? [address] : [];
  });
}

function ingressOf(status: unknown): readonly unknown[] {
  const balancer = isMapping(status) ? status['loadBalancer'] : undefined;
  const ingress = isMapping(balancer) ? balancer['ingress'] : undefined;
  return Array.isArray(ingress) ? ingress : [];
}
