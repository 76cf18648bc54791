/**
 * The client program with a TUN interface: the kernel's own pings go through it, before and after the gateway's death.
 * Needs root and Linux; run it in a network of its own:
 *
 *     unshare -n node --test test/sidecar/client/tun.ts
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import type { Sidecar } from '../../../sidecar/shell/sidecar.ts';
import { Program, pskFile, startGateway } from './program.ts';

const TUN = 'rekindle-client';
/** The gateway lives in this process, so nothing here may block it. */
const run = async (command: string, ...args: readonly string[]): Promise<string> =>
  (await promisify(execFile)(command, args)).stdout;

let gateway: Sidecar;
before(async () => {
  await run('ip', 'link', 'set', 'dev', 'lo', 'up');
  gateway = await startGateway();
});
after(() => gateway.close());

/** The interface follows the event; a ping that comes too early is sent again. */
const pings = (): Promise<string> => run('ping', '-c', '3', '-i', '0.2', '-W', '2', '-w', '5', '10.8.0.1');

describe('a client with a TUN interface', { timeout: 30_000 }, () => {
  it('has the inner address and the routes of its session, and keeps them through the death of the gateway', async (t) => {
    const program = new Program('--psk-file', pskFile, '--tun', TUN, '--dead-peer', '500ms');
    t.after(() => program.signal('SIGKILL'));
    const { inner } = await program.next('established');
    await program.next('ticket');
    while (!(await run('ip', 'address')).includes(`inet ${inner[0]}/32`)) await new Promise((resolve) => setTimeout(resolve, 50));
    assert.match(await pings(), /[1-3] received/);
    const routes = await run('ip', 'route', 'show', 'dev', TUN);
    for (const half of ['0.0.0.0/1', '128.0.0.0/1']) assert.ok(routes.includes(half), routes);

    const since = program.events.length;
    await gateway.close();
    gateway = await startGateway();
    assert.equal((await program.next('established', since)).kind, 'resumed');
    assert.match(await pings(), /[1-3] received/);
    assert.equal(program.events.filter(({ name }) => name === 'warning').length, 0);

    program.signal('SIGTERM');
    assert.equal((await program.end()).status, 0);
    assert.doesNotMatch(await run('ip', 'link'), new RegExp(TUN));
  });
});
