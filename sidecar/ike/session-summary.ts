/** What may be told of an SA: for the list of sessions and for tests. No key is in it. */

import type { ProvenCertificate } from './established.ts';
import type { Identity, IkeSa, Instant, Path } from './sa.ts';
import { ownSpi } from './sa.ts';
import type { Bytes } from './wire/bytes.ts';

export interface SessionSummary {
  /** Ours: names the SA in `want`. */
  readonly spi: string;
  readonly spiI: string;
  readonly spiR: string;
  readonly role: IkeSa['role'];
  readonly phase: IkeSa['phase']['name'];
  readonly path: Path;
  readonly kind: 'full' | 'resumed' | undefined;
  readonly remote: Identity | undefined;
  readonly since: Instant | undefined;
  readonly authenticatedAt: Instant | undefined;
  readonly reauthenticateBy: Instant | undefined;
  readonly postQuantum: boolean | undefined;
  /** The peer's, by which it was authenticated. */
  readonly certificate: ProvenCertificate | undefined;
  readonly inner: readonly Bytes[];
  /** Our inbound SPIs. */
  readonly children: readonly number[];
}

export function summaryOf(sa: IkeSa): SessionSummary {
  const { spiI, spiR, role, path, phase } = sa;
  const base = { spi: ownSpi(sa), spiI, spiR, role, phase: phase.name, path };
  if (phase.name !== 'established') return { ...base, ...UNKNOWN };
  const { kind, remote, since, authenticatedAt, reauthenticateBy, postQuantum, credential, inner, children } = phase;
  return {
    ...base,
    kind,
    remote,
    since,
    authenticatedAt,
    reauthenticateBy,
    postQuantum,
    certificate: credential.certificate,
    inner,
    children: children.map(({ spiIn }) => spiIn),
  };
}

const UNKNOWN = {
  ...{ kind: undefined, remote: undefined, since: undefined, authenticatedAt: undefined, reauthenticateBy: undefined },
  ...{ postQuantum: undefined, certificate: undefined, inner: [], children: [] },
};
