/** What carries packets in the pods, as they say themselves, and what keeps them from it. */
import type { VpnGatewayStatus } from '../../crds/v1alpha1/vpngateway.ts';
import type { Draft } from './conditions.ts';
import type { GatewayFacts } from './facts.ts';
import type { Failing, Pod, PodReport } from './plan.ts';
import { listed } from './ring-report.ts';
import { sentence, sentenceWithRemedy } from './sentence.ts';

type Carrier = Exclude<PodReport['dataplane'], 'none'>;
type Telling = Pod & { readonly report: PodReport };

/** For the status: one word for all pods. */
export function shownDataplane({ alive }: GatewayFacts): Pick<VpnGatewayStatus, 'dataplane'> {
  const told = [...new Set(alive.flatMap(({ report }) => (report ? carrierOf(report) : [])))];
  const carriers = told.filter((one) => one !== 'none');
  if (told.length === 0) return {};
  return { dataplane: carriers.length > 1 ? 'mixed' : (carriers[0] ?? 'none') };
}

/** A pod whose data plane carries nothing; where there is one, sessions of that pod have no traffic. */
export function dataplanesWork(facts: GatewayFacts): Failing | undefined {
  const draft = dataplaneCondition(facts);
  return draft?.status === 'False' ? { reason: draft.reason, message: draft.message, stalled: false } : undefined;
}

/** Undefined where there is no pod. */
export function dataplaneCondition({ alive, gateway: { spec } }: GatewayFacts): Draft | undefined {
  if (alive.length === 0) return undefined;
  const telling = alive.filter((pod): pod is Telling => pod.report !== undefined);
  const [down] = telling.filter(({ report }) => problemsOf(report, 'blocking').length > 0);
  if (down) return broken(down, spec.dataplane);
  const carrying = { kernel: namesOf(telling, 'kernel'), userspace: namesOf(telling, 'userspace') };
  const warnings = telling.flatMap(warningOf).slice(0, SHOWN).join(' ');
  return { type, ...standing(carrying, spec.dataplane, warnings) };
}

const type = 'DataplaneReady';
/** Pods whose warnings are repeated. */
const SHOWN = 2;

function broken({ name, report }: Telling, asked: GatewayFacts['gateway']['spec']['dataplane']): Draft {
  const [first = '', ...more] = problemsOf(report, 'blocking');
  const others = more.length > 0 ? ` (and ${more.length} more; see its log)` : '';
  const lacksEsp = asked === 'kernel' && /\bESP\b/.test(first);
  const remedy = lacksEsp ? ' Or set spec.dataplane to auto, which takes user space where the kernel cannot.' : '';
  return {
    ...{ type, status: 'False', reason: lacksEsp ? 'KernelUnavailable' : 'DataplaneDown' },
    message: `pod ${name} carries no packets: ${sentenceWithRemedy(first)}${others}.${remedy}`,
  };
}

type Standing = Pick<Draft, 'status' | 'reason' | 'message'>;

function standing(
  { kernel, userspace }: Readonly<Record<Carrier, readonly string[]>>,
  asked: GatewayFacts['gateway']['spec']['dataplane'],
  warnings: string,
): Standing {
  const say = (status: Standing['status'], reason: Standing['reason'], message: string): Standing => ({
    ...{ status, reason },
    message: [message, warnings].filter((part) => part !== '').join('. '),
  });
  if (kernel.length > 0 && userspace.length > 0) {
    const remedy = asked === 'auto' ? '. Set spec.dataplane to kernel to refuse nodes whose kernel cannot' : '';
    return say('True', 'Mixed', `the kernel carries packets in ${listed(kernel)}, user space in ${listed(userspace)}${remedy}`);
  }
  if (kernel.length > 0) return say('True', 'Kernel', `the kernel carries packets in ${pods(kernel)}`);
  if (userspace.length > 0) return say('True', 'Userspace', `user space carries packets in ${pods(userspace)}`);
  return say('Unknown', 'PodsSilent', 'no pod has said yet what carries its packets');
}

const pods = (names: readonly string[]): string => (names.length === 1 ? '1 pod' : `${names.length} pods`);

const carrierOf = (report: PodReport): PodReport['dataplane'] =>
  problemsOf(report, 'blocking').length > 0 ? 'none' : report.dataplane;

const namesOf = (telling: readonly Telling[], carrier: Carrier): readonly string[] =>
  telling.filter(({ report }) => carrierOf(report) === carrier).map(({ name }) => name);

const warningOf = ({ name, report }: Telling): readonly string[] => {
  const [first] = problemsOf(report, 'warning');
  return first === undefined ? [] : [`Pod ${name} warns: ${sentence(first)}.`];
};

const problemsOf = ({ problems }: PodReport, severity: 'blocking' | 'warning'): readonly string[] =>
  problems.filter((problem) => problem.severity === severity).map(({ text }) => text);
