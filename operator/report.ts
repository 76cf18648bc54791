/** Asks a pod for its /status and keeps of it what a plan reads. */
import { parseStatus } from '../sidecar/contract/status.ts';
import type { Manifest, PodReport } from './plan/plan.ts';
import { podAddress } from './pod.ts';
import { ask } from './pod-question.ts';

const TIMEOUT_MS = 2_000;

/** undefined when the pod does not answer, or not with a status. */
export async function readReport(pod: Manifest, port: number): Promise<PodReport | undefined> {
  const address = podAddress(pod);
  const answer = address ? await ask(address, port, '/status', TIMEOUT_MS) : undefined;
  if (answer?.status !== 200) return undefined;
  const parsed = parseStatus(pod.metadata.name, answer.text);
  if (!parsed.ok) return undefined;
  const { config, keyRing, sessions, faults, dataplane, dataplaneProblems, reasons } = parsed.value;
  return {
    ringGeneration: keyRing?.generation ?? 0,
    acknowledgement: keyRing?.acknowledgement ?? '',
    configGeneration: config?.generation ?? 0,
    sessions,
    dataplane,
    problems: dataplaneProblems ?? [],
    reasons,
    faults: faults.map(
      ({ file, problems }) => `${file}: ${problems} ${problems === 1 ? 'problem' : 'problems'}; the log of the pod says which`,
    ),
  };
}
