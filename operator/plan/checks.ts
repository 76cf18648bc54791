/** Why a gateway is not ready: an ordered chain, of which the first link that fails explains it, with what to do. */
import { encodeDataplaneConfig, parseDataplaneConfig } from '../../sidecar/contract/dataplane-yaml.ts';
import { encodeGatewayConfig, parseGatewayConfig } from '../../sidecar/contract/gateway-yaml.ts';
import { formatProblem } from '../../sidecar/contract/problem.ts';
import { hasAcknowledged } from './acknowledgements.ts';
import { dataplaneConfig } from './dataplane-config.ts';
import { dataplanesWork } from './dataplanes.ts';
import type { GatewayFacts } from './facts.ts';
import { gatewayConfig } from './gateway-config.ts';
import { credentials } from './manifests/credentials.ts';
import { owns, ownsOrMayAdopt } from './manifests/ownership.ts';
import { ownRing } from './names.ts';
import type { Check, Failing, Pod, Reason } from './plan.ts';
import { listed } from './ring-report.ts';
import { sentence } from './sentence.ts';

export const firstFailing = <O>(checks: readonly Check<O>[], observed: O): Failing | undefined => {
  for (const check of checks) {
    const failing = check(observed);
    if (failing) return failing;
  }
  return undefined;
};

/** As long as one of these fails, nothing is changed: what runs goes on. */
export const blocking: readonly Check<GatewayFacts>[] = [
  namesAreFree,
  dataplaneIsThere,
  configIsGood,
  ticketKeyIsThere,
  ringIsThere,
];

/** What was asked for has been written; these say whether it works. */
export const working: readonly Check<GatewayFacts>[] = [
  podsAreAllowed,
  podsReportNoFault,
  podsDoNotFail,
  dataplanesWork,
  podsAreUpToDate,
  podsAreReady,
  configIsLoaded,
];

const stuck = (reason: Reason, message: string): Failing => ({ reason, message, stalled: true });
const waiting = (reason: Reason, message: string): Failing => ({ reason, message, stalled: false });

function namesAreFree({ gateway, observed: { children, ring } }: GatewayFacts): Failing | undefined {
  const own = ownRing(gateway.metadata.name);
  const foreign = children.filter((child) => child.metadata.name !== own && !owns(gateway, child));
  const foreignRing = !gateway.spec.ticketKeyRef && ring && !ownsOrMayAdopt(gateway, ring) ? [ring] : [];
  const names = [...foreign, ...foreignRing].map(({ kind, metadata }) => `${kind} ${metadata.name}`);
  if (names.length === 0) return undefined;
  return stuck(
    'NameTaken',
    `taken by something else: ${listed(names)}. Delete or rename it, or give the VpnGateway another name.`,
  );
}

function dataplaneIsThere({ gateway: { spec }, observed: { placement } }: GatewayFacts): Failing | undefined {
  if (placement.hasAgents) return undefined;
  if (spec.dataplane === 'kernel') {
    const why = 'the local mode has no kernel data plane, since its pods are processes without privileges';
    return stuck('DataplaneUnsupported', `${why}. Set spec.dataplane to auto.`);
  }
  // Rather not at all than without what was asked for.
  if (!spec.traffic.isolateClients) return undefined;
  const why = 'the local mode cannot keep clients from each other, since its pods have no agent';
  return stuck('DataplaneUnsupported', `${why}. Set spec.traffic.isolateClients to false.`);
}

/** What the schema cannot see, and a spec of an earlier version of it: pods would refuse such files, and keep what they have. */
function configIsGood({ gateway, policy, wanted, observed: { placement } }: GatewayFacts): Failing | undefined {
  const config = gatewayConfig(gateway, policy.ticketLifetimeMs, wanted, placement);
  const problems = [
    parseGatewayConfig('spec', encodeGatewayConfig(config)),
    parseDataplaneConfig('spec', encodeDataplaneConfig(dataplaneConfig(gateway, placement))),
  ].flatMap((parsed) => (parsed.ok ? [] : parsed.problems));
  if (problems.length === 0) return undefined;
  return stuck('ConfigRefused', problems.slice(0, 3).map(formatProblem).map(sentence).join('. '));
}

function ticketKeyIsThere({ gateway: { spec, metadata }, observed: { ticketKey } }: GatewayFacts): Failing | undefined {
  if (!spec.ticketKeyRef || ticketKey) return undefined;
  const { name } = spec.ticketKeyRef;
  const message = `there is no TicketKey ${name} in namespace ${metadata.namespace}. Create it, or leave spec.ticketKeyRef out.`;
  return waiting('TicketKeyMissing', message);
}

function ringIsThere({ ring }: GatewayFacts): Failing | undefined {
  return ring.failing;
}

function podsAreAllowed({ observed: { createFailure }, gateway: { metadata } }: GatewayFacts): Failing | undefined {
  if (createFailure === undefined) return undefined;
  const remedy = /PodSecurity/i.test(createFailure)
    ? `Label the namespace: kubectl label namespace ${metadata.namespace} pod-security.kubernetes.io/enforce=privileged`
    : 'Look at quotas and admission policies of the namespace.';
  return waiting('PodsForbidden', `pods cannot be created: ${sentence(createFailure)}. ${remedy}`);
}

function podsReportNoFault({ alive, gateway }: GatewayFacts): Failing | undefined {
  const [pod] = alive.filter(({ report }) => report && report.faults.length > 0);
  if (!pod) return undefined;
  const faults = (pod.report?.faults ?? []).map(sentence).join('; ');
  const places = credentials(gateway)
    .filter(({ title }) => pod.report?.faults.some((fault) => fault.startsWith(title)))
    .map(({ field, objects }) => `${objects.join(' and ')} (spec.${field})`);
  const remedy = places.length > 0 ? `Correct ${listed(places)}` : 'Correct what it names';
  return waiting('PodsReportFaults', `pod ${pod.name} says: ${faults}. ${remedy}; pods load it by themselves.`);
}

function podsDoNotFail({ observed: { pods } }: GatewayFacts): Failing | undefined {
  const [pod] = pods.filter((one) => !one.terminating && one.waiting && !ORDINARY.includes(one.waiting.reason));
  if (!pod?.waiting) return undefined;
  const message = `pod ${pod.name} does not start (${sentence(pod.waiting.reason)}): ${sentence(pod.waiting.message)}`;
  return waiting('PodsFailing', `${message}. See kubectl describe pod ${pod.name} and its logs.`);
}

/** What every pod goes through. */
const ORDINARY = ['ContainerCreating', 'PodInitializing'];

function podsAreUpToDate({ outdated, alive }: GatewayFacts): Failing | undefined {
  if (outdated.length === 0) return undefined;
  return waiting(
    'RollingOut',
    `${alive.length - outdated.length} of ${alive.length} pods are of the latest template; one after the other is replaced`,
  );
}

function podsAreReady({ alive, wanted }: GatewayFacts): Failing | undefined {
  const ready = alive.filter((pod) => pod.ready).length;
  if (ready === wanted && alive.length === wanted) return undefined;
  const [telling] = alive.filter((pod) => !pod.ready && pod.report && pod.report.reasons.length > 0);
  const why = telling ? `; pod ${telling.name} says: ${(telling.report?.reasons ?? []).map(sentence).join('; ')}` : '';
  return waiting('PodsStarting', `${ready} of ${wanted} pods are ready${why}`);
}

function configIsLoaded({ alive, gateway: { metadata } }: GatewayFacts): Failing | undefined {
  const behind = alive.filter(({ report }) => report && report.configGeneration < metadata.generation);
  if (behind.length === 0) return undefined;
  return waiting(
    'ConfigLoading',
    `pods have yet to load generation ${metadata.generation}: ${listed(behind.map(({ name }) => name))}`,
  );
}

/** A pod that does its work: ready, and its keys are those of its siblings. */
export const isSettled = ({ ring }: GatewayFacts, pod: Pod): boolean =>
  pod.ready && ring.kept !== undefined && hasAcknowledged(ring.kept.ring, pod);
