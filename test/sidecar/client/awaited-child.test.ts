/** The child that a client's session is there for (RFC 6023). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AwaitedChild } from '../../../sidecar/client/awaited-child.ts';
import type { Event } from '../../../sidecar/ike/step.ts';

const event = (name: Event['name']): Event => ({ name }) as Event;

function awaited(childless: boolean) {
  const told: string[] = [];
  const child = new AwaitedChild(childless, ({ name }) => told.push(name));
  return { child, told, observe: (name: Event['name']) => child.observe(event(name)) };
}

describe('the child that a session is there for', () => {
  it('lets a session that began with it be told of at once', () => {
    const { observe, told } = awaited(false);
    observe('established');
    observe('child-installed');
    assert.deepEqual(told, ['established', 'child-installed']);
  });

  it('comes before a session that began without is told of, once', () => {
    const { observe, told } = awaited(true);
    observe('established');
    assert.deepEqual(told, []);
    observe('child-installed');
    observe('child-installed');
    assert.deepEqual(told, ['child-installed', 'established', 'child-installed']);
  });

  it('is asked for once, where the session was to begin without', () => {
    const { child } = awaited(true);
    assert.deepEqual([child.missing(), child.missing()], ['ask', 'wait']);
  });

  it('is given up when it was refused, or was to come with the session', () => {
    const { child, observe } = awaited(true);
    observe('refused'); // before anybody has asked for it, a refusal is of something else
    assert.equal(child.missing(), 'ask');
    observe('refused');
    assert.equal(child.missing(), 'give up');
    assert.equal(awaited(false).child.missing(), 'give up');
  });
});
