/** `/status`: what the operator reads is what the pod wrote. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatProblem } from '../../../sidecar/contract/problem.ts';
import { encodeStatus, type GatewayStatus, parseStatus } from '../../../sidecar/contract/status.ts';

const full: GatewayStatus = {
  version: '0.1.0',
  name: 'default/office',
  ordinal: 1,
  incarnation: '00'.repeat(16),
  ready: false,
  reasons: ['key-ring.yaml: not there yet'],
  config: { generation: 4, acceptLibreswanAuth: true },
  keyRing: { ringId: '7c9e', generation: 3, acknowledgement: 'ab'.repeat(32) },
  sessions: 12,
  halfOpen: 3,
  faults: [{ file: 'gateway.yaml', problems: 2 }],
  dataplane: 'userspace',
  dataplaneProblems: [{ severity: 'warning', text: 'IPv6 packets are not forwarded' }],
};
const empty: GatewayStatus = {
  ...full,
  ...{ name: undefined, config: undefined, keyRing: undefined, reasons: [], faults: [], dataplaneProblems: undefined },
};

describe('/status', () => {
  it('comes back as it was written, full or nearly empty', () => {
    for (const value of [full, empty]) assert.deepEqual(parseStatus('pod-1', encodeStatus(value)), { ok: true, value });
  });

  it('of a later version is understood', () => {
    const later = JSON.stringify({
      ...JSON.parse(encodeStatus(full)),
      more: 1,
      config: { generation: 4, acceptLibreswanAuth: true, digest: 'x' },
    });
    assert.deepEqual(parseStatus('pod-1', later), { ok: true, value: full });
  });

  it('of a stranger is refused by field', () => {
    const problems = (json: string): readonly string[] => {
      const parsed = parseStatus('pod-1', json);
      return parsed.ok ? [] : parsed.problems.map(formatProblem);
    };
    assert.deepEqual(problems('<html>'), ['pod-1: not JSON; look at the log of the pod']);
    assert.deepEqual(problems(JSON.stringify({ ...JSON.parse(encodeStatus(full)), ordinal: 255, sessions: 'many' })), [
      'pod-1: ordinal: not a whole number between 0 and 254: 255; write digits without quotes',
      'pod-1: sessions: not a whole number between 0 and 9007199254740991: "many"; write digits without quotes',
    ]);
  });
});
