/** Whom a service sends to, and when it learns of losses. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Endpoint, endpointsOf, LateEndpoints } from '../../../operator/local/endpoint.ts';
import type { Manifest } from '../../../operator/plan/plan.ts';
import { FakeClock } from '../../harness/fake-clock.ts';

const endpoint = (uid: string, more: Partial<Endpoint> = {}): Endpoint => ({
  uid,
  address: `127.0.0.${uid}`,
  serving: true,
  terminating: false,
  ...more,
});

function late(delayMs: number) {
  const clock = new FakeClock();
  const told: (readonly Endpoint[])[] = [];
  const endpoints = new LateEndpoints(clock, delayMs, (known) => told.push(known));
  return { clock, endpoints, told, now: () => told.at(-1) ?? [] };
}

describe('endpoints', { timeout: 10_000 }, () => {
  it('are the pods of the selector that have an address', () => {
    const pod = (name: string, labels: object, status: object, metadata: object = {}): Manifest => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'vpn', uid: name, labels: { ...labels }, ...metadata },
      status,
    });
    const ready = { podIP: '127.0.0.2', conditions: [{ type: 'Ready', status: 'True' }] };
    const service: Manifest = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'office', namespace: 'vpn' },
      spec: { selector: { gateway: 'office' } },
    };
    const pods = [
      pod('ready', { gateway: 'office' }, ready),
      pod('draining', { gateway: 'office' }, ready, { deletionTimestamp: '2030-01-01T00:00:00Z' }),
      pod('starting', { gateway: 'office' }, { podIP: '127.0.0.3' }),
      pod('unborn', { gateway: 'office' }, {}),
      pod('other', { gateway: 'home' }, ready),
    ];
    assert.deepEqual(
      endpointsOf(service, pods).map(({ uid, serving, terminating }) => [uid, serving, terminating]),
      [
        ['ready', true, false],
        ['draining', true, true],
        ['starting', false, false],
      ],
    );
  });

  it('that come are known at once', () => {
    const { endpoints, now } = late(3_000);
    endpoints.update([endpoint('1')]);
    assert.deepEqual(now(), [endpoint('1')]);
    endpoints.update([endpoint('1'), endpoint('2')]);
    assert.equal(now().length, 2);
  });

  it('that go, stop serving or begin to terminate are known only after the delay', async () => {
    for (const [what, worse] of [
      ['gone', []],
      ['not serving', [endpoint('1', { serving: false })]],
      ['terminating', [endpoint('1', { terminating: true })]],
    ] as const) {
      const { clock, endpoints, now } = late(3_000);
      endpoints.update([endpoint('1')]);
      endpoints.update(worse);
      await clock.advance(2_999);
      assert.deepEqual(now(), [endpoint('1')], what);
      await clock.advance(1);
      assert.deepEqual(now(), worse, what);
    }
  });

  it('that recover in time were never lost, and the next loss waits its whole delay', async () => {
    const { clock, endpoints, told, now } = late(3_000);
    endpoints.update([endpoint('1')]);
    endpoints.update([endpoint('1', { serving: false })]);
    await clock.advance(2_000);
    endpoints.update([endpoint('1')]);
    await clock.advance(10_000);
    assert.equal(told.length, 1);
    endpoints.update([endpoint('1', { serving: false })]);
    await clock.advance(2_999);
    assert.deepEqual(now(), [endpoint('1')]);
    await clock.advance(1);
    assert.equal(now()[0]?.serving, false);
  });

  it('leave no alarm behind', async () => {
    const { clock, endpoints } = late(3_000);
    endpoints.update([endpoint('1')]);
    endpoints.update([]);
    await clock.advance(3_000);
    assert.equal(clock.pending, 0);
  });
});
