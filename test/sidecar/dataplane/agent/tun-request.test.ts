/** Descriptors over a Unix socket: those that were asked for arrive, and of an answer that is wrong none is left open. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync, fstatSync, openSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { encodeFromAgent } from '../../../../sidecar/dataplane/agent/messages.ts';
import { requestTun } from '../../../../sidecar/dataplane/agent/tun-request.ts';
import { type Bytes, concat } from '../../../../sidecar/ike/wire/bytes.ts';
import { scratch } from '../../../harness/scratch.ts';
import { syscalls } from './stations.ts';

const ending: (() => void)[] = [];
const file = join(scratch().path, 'tun');
writeFileSync(file, 'not a device, but a file');

/** An agent that answers like this; `descriptors` of the file go along. Answers its path. */
async function agent(answer: Bytes, descriptors: number, more?: (socket: Socket) => void): Promise<string> {
  const path = join(scratch().path, 'agent.sock');
  const server = createServer((socket) => {
    const { fd } = (socket as unknown as { readonly _handle: { readonly fd: number } })._handle;
    const given = Array.from({ length: descriptors }, () => openSync(file, 'r'));
    socket.on('error', () => {}).resume();
    if (answer.length > 0) syscalls.send(fd, answer, given);
    given.forEach(closeSync);
    more?.(socket);
    ending.push(() => void socket.destroy());
  }).listen(path);
  await once(server, 'listening');
  ending.push(() => void server.close());
  return path;
}

/** Descriptors of this process that are the file. */
const held = (): number =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === file;
    } catch {
      return false;
    }
  }).length;

describe('a request for the TUN device', { timeout: 10_000, skip: process.platform !== 'linux' }, () => {
  afterEach(() => {
    for (const end of ending.splice(0)) end();
    assert.equal(held(), 0, 'nothing is left open');
  });
  const announced = (descriptors: number): Bytes => encodeFromAgent({ type: 'tun', descriptors });

  it('brings as many descriptors as queues', async () => {
    const taken = await requestTun({ path: await agent(announced(16), 16), queues: 16 });
    assert.equal(new Set(taken).size, 16);
    for (const fd of taken) {
      assert.equal(fstatSync(fd).size, 24);
      closeSync(fd);
    }
  });

  it('brings them when the answer comes in pieces', async () => {
    const [answer, rest] = [announced(1).slice(0, 3), announced(1).slice(3)];
    const taken = await requestTun({
      path: await agent(answer, 1, (socket) => setImmediate(() => socket.write(rest))),
      queues: 1,
    });
    taken.forEach(closeSync);
    assert.equal(taken.length, 1);
  });

  it('takes no other number', async () => {
    for (const [sent, said] of [
      [3, 2],
      [1, 2],
      [0, 2],
      [2, 3],
    ] as const)
      await assert.rejects(
        requestTun({ path: await agent(announced(said), sent), queues: 2 }),
        new RegExp(`: ${sent} descriptors came, ${said} were announced, 2 were asked for$`),
      );
  });

  it('takes no other answer, whatever comes along', async () => {
    const welcome = encodeFromAgent({ type: 'welcome', protocol: 1, dataplane: 'kernel', mtu: 1400, isolateClients: false });
    const request = async (answer: Bytes): Promise<unknown> => requestTun({ path: await agent(answer, 2), queues: 2 });
    await assert.rejects(request(welcome), /the agent answered with welcome$/);
    await assert.rejects(request(new Uint8Array([0xff, 0, 0, 0])), /frame: 4278190080 bytes/);
    await assert.rejects(request(concat(new Uint8Array([0, 0, 0, 1]), new Uint8Array([0xff]))), /not CBOR of plain data/);
    const problems = [{ severity: 'blocking', text: '/dev/net/tun: load the module tun' }] as const;
    await assert.rejects(
      request(encodeFromAgent({ type: 'health', problems })),
      /^Error: no TUN device of the agent: \/dev\/net\/tun: load the module tun$/,
    );
  });

  it('waits for no agent that does not answer, or goes', async () => {
    const silent = await agent(new Uint8Array(0), 0);
    await assert.rejects(requestTun({ path: silent, queues: 1, timeoutMs: 30 }), /the agent does not answer; see its log$/);
    const slow = await agent(announced(1).slice(0, 3), 1);
    await assert.rejects(requestTun({ path: slow, queues: 1, timeoutMs: 30 }), /the agent does not answer; see its log$/);
    const gone = await agent(new Uint8Array(0), 0, (socket) => socket.end());
    await assert.rejects(requestTun({ path: gone, queues: 1 }), /closed the connection without an answer/);
    await assert.rejects(requestTun({ path: `${gone}.no`, queues: 1 }), /ENOENT/);
  });
});
