/** How long a client's gateway may be silent, by a clock that only the test moves. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewaySilence } from '../../../sidecar/client/gateway-silence.ts';
import type { Instant } from '../../../sidecar/ike/sa.ts';

const PATIENCE_MS = 4_000;
const DOUBT_MS = 6_000;

function silence() {
  const timers = new Map<number, { readonly at: number; readonly run: () => void }>();
  let now = 1_000;
  const told: string[] = [];
  const ports = {
    clock: () => now as Instant,
    after: (ms: number, run: () => void) => {
      const id = timers.size === 0 ? 0 : Math.max(...timers.keys()) + 1;
      timers.set(id, { at: now + ms, run });
      return () => void timers.delete(id);
    },
  };
  const one = new GatewaySilence(ports, {
    patienceMs: PATIENCE_MS,
    deadPeerMs: 5 * DOUBT_MS,
    unanswered: () => told.push('unanswered'),
    doubtful: () => told.push('doubtful'),
  });
  const pass = (ms: number): void => {
    now += ms;
    for (const [id, { at, run }] of timers)
      if (at <= now) {
        timers.delete(id);
        run();
      }
  };
  return { one, pass, told };
}

describe("the gateway's silence", () => {
  it('ends an attempt when an answer takes too long', () => {
    const { one, pass, told } = silence();
    one.asked();
    pass(PATIENCE_MS - 1);
    assert.deepEqual(told, []);
    pass(1);
    assert.deepEqual(told, ['unanswered']);
  });

  it('is counted anew for each message', () => {
    const { one, pass, told } = silence();
    one.asked();
    pass(PATIENCE_MS - 1);
    one.asked();
    pass(PATIENCE_MS - 1);
    assert.deepEqual(told, []);
  });

  it('may be longer in EAP, where the gateway asks a server', () => {
    const { one, pass, told } = silence();
    one.conversing();
    one.asked();
    pass(9_999);
    assert.deepEqual(told, []);
    pass(1);
    assert.deepEqual(told, ['unanswered']);
  });

  it('ends no attempt that has become a session', () => {
    const { one, pass, told } = silence();
    one.asked();
    one.established();
    pass(100 * PATIENCE_MS);
    assert.deepEqual(told, []);
  });

  it('raises doubt once traffic has gone unanswered, counted from the first packet', () => {
    const { one, pass, told } = silence();
    one.sent();
    pass(DOUBT_MS - 1);
    one.sent();
    assert.deepEqual(told, []);
    pass(1);
    assert.deepEqual(told, ['doubtful']);
  });

  it('raises no doubt after an answer, nor without traffic', () => {
    const { one, pass, told } = silence();
    one.sent();
    one.heard();
    pass(100 * DOUBT_MS);
    assert.deepEqual(told, []);
    assert.equal(one.ms, 100 * DOUBT_MS);
  });

  it('means nothing after the end', () => {
    const { one, pass, told } = silence();
    one.asked();
    one.sent();
    one.stop();
    pass(100 * DOUBT_MS);
    assert.deepEqual(told, []);
  });
});
