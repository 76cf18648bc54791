/** Only a process that is provably the one that was noted is ever ended. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { systemClock } from '../../../operator/clock.ts';
import { endLeftovers, PID_FILE } from '../../../operator/local/leftover.ts';
import { identify, isRunning, type OwnProcess, signal } from '../../../operator/local/own-process.ts';
import { lockState } from '../../../operator/local/state-lock.ts';
import { scratch } from '../../harness/scratch.ts';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

async function sleeper(): Promise<{ readonly child: ChildProcess; readonly own: OwnProcess }> {
  const child = spawn('sleep', ['60']);
  children.push(child);
  await once(child, 'spawn');
  const own = identify(child.pid ?? -1);
  assert.ok(own);
  return { child, own };
}

function note(pods: string, pod: string, text: string): void {
  mkdirSync(join(pods, pod));
  writeFileSync(join(pods, pod, PID_FILE), text);
}

describe('own processes', { timeout: 10_000 }, () => {
  it('are known by id, start time and boot', async () => {
    const { own } = await sleeper();
    assert.ok(isRunning(own));
    assert.equal(isRunning({ ...own, startTime: '1' }), false);
    assert.equal(isRunning({ ...own, bootId: 'another' }), false);
    assert.equal(identify(2 ** 22 + 1), undefined);
  });

  it('get no signal when only the id is the same', async () => {
    const { child, own } = await sleeper();
    assert.equal(signal({ ...own, startTime: '1' }, 'SIGKILL'), false);
    assert.equal(signal(own, 'SIGKILL'), true);
    await once(child, 'exit');
    assert.equal(signal(own, 'SIGKILL'), false);
  });

  it('that a crashed run left are ended, others with the same id are not, and half-written notes are thrown away', async () => {
    const { path } = scratch();
    const [left, stranger] = [await sleeper(), await sleeper()];
    const ended = once(left.child, 'exit');
    note(path, 'left', JSON.stringify(left.own));
    note(path, 'stranger', JSON.stringify({ ...stranger.own, startTime: '1' }));
    note(path, 'half', JSON.stringify(stranger.own).slice(0, 20));
    assert.deepEqual(await endLeftovers(path, systemClock), [left.own.pid]);
    await ended;
    assert.ok(isRunning(stranger.own));
    assert.deepEqual(readdirSync(path), []);
  });
});

describe('state lock', { timeout: 10_000 }, () => {
  it('keeps a second run out, says who has it, and is free afterwards', () => {
    const { path } = scratch();
    const unlock = lockState(path);
    assert.throws(
      () => lockState(path),
      new RegExp(`process ${process.pid} uses this state directory; stop it, or choose another`),
    );
    unlock();
    lockState(path)();
  });

  it('does not keep anybody out when its holder is dead', async () => {
    const { path, write } = scratch();
    const { child, own } = await sleeper();
    write('lock.json', JSON.stringify(own));
    assert.throws(() => lockState(path));
    child.kill('SIGKILL');
    await once(child, 'exit');
    lockState(path)();
  });
});
