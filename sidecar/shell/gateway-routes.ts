/** What the gateway answers over HTTP: probes, status and metrics for the pod network; the list of sessions for this machine alone. */

import { acknowledgement } from '../contract/acknowledgement.ts';
import type { Problem } from '../contract/agent-protocol.ts';
import { formatIdentity } from '../contract/identity.ts';
import { encodeStatus, type GatewayStatus } from '../contract/status.ts';
import type { Policy } from '../ike/context.ts';
import { formatAddress } from '../ike/ip-address.ts';
import type { SessionSummary } from '../ike/session-summary.ts';
import { json, plainText, type Route } from '../process/http-server.ts';
import type { Readiness } from '../process/readiness.ts';

export interface RouteSources {
  readonly version: string;
  readonly ordinal: number;
  /** Hex. */
  readonly incarnation: string;
  readonly podUid: string | undefined;
  readonly readiness: Readiness;
  readonly policy: () => Policy | undefined;
  readonly counts: () => { readonly established: number; readonly halfOpen: number };
  readonly sessions: () => readonly SessionSummary[];
  readonly faults: () => GatewayStatus['faults'];
  /** What carries packets, and what is to be said about it. */
  readonly dataplane: () => GatewayStatus['dataplane'];
  readonly problems: () => readonly Problem[];
  readonly metrics: () => Promise<{ readonly type: string; readonly body: string }>;
}

/** Of /status, which shows what everybody on the pod network may know. */
const MOST_REASONS = 64;
const MOST_PROBLEMS = 64;

export function gatewayRoutes(sources: RouteSources): Readonly<Record<string, Route>> {
  const { readiness } = sources;
  return {
    '/healthz': () => plainText(200, 'ok'),
    '/readyz': () => (readiness.ready ? plainText(200, 'ready') : plainText(503, readiness.reasons().join('\n'))),
    '/status': () => json(encodeStatus(status(sources))),
    '/metrics': async () => ({ status: 200, ...(await sources.metrics()) }),
    // RBAC guards a port-forward, and nothing guards the pod's address.
    '/sessions': ({ local }) =>
      local
        ? json(`${JSON.stringify(sources.sessions().map(session))}\n`)
        : plainText(403, 'only over 127.0.0.1, for instance by a port-forward'),
  };
}

function status({ version, ordinal, incarnation, podUid, readiness, ...sources }: RouteSources): GatewayStatus {
  const policy = sources.policy();
  const { established, halfOpen } = sources.counts();
  return {
    ...{ version, ordinal, incarnation },
    name: policy?.config.name,
    ready: readiness.ready,
    reasons: readiness.reasons().slice(0, MOST_REASONS),
    config: policy && { generation: policy.config.generation, acceptLibreswanAuth: policy.config.tickets.acceptLibreswanAuth },
    keyRing: policy && {
      ringId: policy.ring.ringId,
      generation: policy.ring.generation,
      acknowledgement: podUid === undefined ? undefined : acknowledgement(policy.ring, podUid),
    },
    sessions: established,
    halfOpen,
    faults: sources.faults(),
    dataplane: sources.dataplane(),
    dataplaneProblems: sources.problems().slice(0, MOST_PROBLEMS),
  };
}

const session = ({ remote, inner, path, ...rest }: SessionSummary) => ({
  ...rest,
  peer: path.remote,
  local: path.local,
  identity: remote && formatIdentity(remote),
  inner: inner.map(formatAddress),
});
