/** What a plan is told of a pod. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Manifest } from '../../operator/plan/plan.ts';
import { isBeingMade, notReadySince, readPod } from '../../operator/pod.ts';

const pod = (status: object, metadata: object = {}): Manifest => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'office-12', namespace: 'vpn', uid: 'u', creationTimestamp: '2030-01-01T00:00:00Z', ...metadata },
  status,
});

const read = (object: Manifest, trouble?: { reason: string; message: string }) =>
  readPod(object, { report: undefined, nodeLostAt: undefined, trouble });

const waiting = (reason: string, message?: string) => ({ containerStatuses: [{ state: { waiting: { reason, message } } }] });

describe('pod', { timeout: 10_000 }, () => {
  it('has the number at the end of its name', () => {
    assert.equal(read(pod({})).ordinal, 12);
  });

  it('is ready since its condition says so, and not ready since it was made while there is no condition', () => {
    const ready = read(pod({ conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2030-01-01T00:01:00Z' }] }));
    assert.deepEqual([ready.ready, ready.readyChangedAt], [true, Date.UTC(2030, 0, 1, 0, 1)]);
    const young = read(pod({}));
    assert.deepEqual([young.ready, young.readyChangedAt], [false, Date.UTC(2030, 0, 1)]);
  });

  it('terminates from its deletionTimestamp on, and is finished when no container runs any more', () => {
    assert.equal(read(pod({}, { deletionTimestamp: '2030-01-01T00:00:00Z' })).terminating, true);
    assert.deepEqual(
      ['Pending', 'Running', 'Succeeded', 'Failed'].map((phase) => read(pod({ phase })).finished),
      [false, false, true, true],
    );
  });

  it('waits for what its container, its scheduling or its events say, and not merely because it is young', () => {
    assert.equal(read(pod(waiting('ContainerCreating'))).waiting, undefined);
    assert.deepEqual(read(pod(waiting('CrashLoopBackOff', 'back-off 10s'))).waiting, {
      reason: 'CrashLoopBackOff',
      message: 'back-off 10s',
    });
    const unscheduled = { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'no node' }] };
    assert.deepEqual(read(pod(unscheduled)).waiting, { reason: 'Unschedulable', message: 'no node' });
    const unmounted = { reason: 'FailedMount', message: 'no Secret' };
    assert.deepEqual(read(pod(waiting('ContainerCreating')), unmounted).waiting, unmounted);
  });

  it('repeats why its kubelet would not take it', () => {
    const refused = {
      phase: 'Failed',
      reason: 'SysctlForbidden',
      message: 'forbidden sysctl: "net.ipv4.ip_forward" not allowlisted',
    };
    assert.deepEqual(read(pod(refused)).waiting, { reason: refused.reason, message: refused.message });
    assert.equal(read(pod({ phase: 'Failed' })).waiting, undefined);
  });

  it('is being made while its containers do not exist', () => {
    assert.deepEqual(
      [isBeingMade(pod(waiting('PodInitializing'))), isBeingMade(pod(waiting('ErrImagePull'))), isBeingMade(pod({}))],
      [true, false, false],
    );
  });

  it('survives whatever a status holds', () => {
    for (const status of [null, 7, [], { conditions: 'x', containerStatuses: [null, 3, { state: null }] }])
      assert.ok(read(pod(Object(status))));
  });

  it('is on a lost node since the node is not ready, or unknown', () => {
    const node = (status: string): Manifest => ({
      ...pod({ conditions: [{ type: 'Ready', status, lastTransitionTime: '2030-01-01T00:02:00Z' }] }),
      kind: 'Node',
    });
    const since = Date.UTC(2030, 0, 1, 0, 2);
    assert.deepEqual(
      [notReadySince(node('True')), notReadySince(node('False')), notReadySince(node('Unknown'))],
      [undefined, since, since],
    );
  });
});
