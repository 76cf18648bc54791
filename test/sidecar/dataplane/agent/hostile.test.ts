/** What the agent bears: strangers, noise, half of a frame, floods, those who do not read; and a sidecar, agents that are none. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, link, lstat, readdir, rename, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { AGENT_PROTOCOL, type ToAgent } from '../../../../sidecar/contract/agent-protocol.ts';
import type { Patience } from '../../../../sidecar/dataplane/agent/connect-agent.ts';
import { LIMITS, type Limits } from '../../../../sidecar/dataplane/agent/message-channel.ts';
import { decodeFromAgent, encodeFromAgent, encodeToAgent, LENGTH_BYTES } from '../../../../sidecar/dataplane/agent/messages.ts';
import { listenAt } from '../../../../sidecar/dataplane/kernel/agent-socket.ts';
import { type Bytes, concat } from '../../../../sidecar/ike/wire/bytes.ts';
import { encodeCbor } from '../../../../sidecar/ike/wire/cbor.ts';
import { scratch } from '../../../harness/scratch.ts';
import { type Agent, type AgentOptions, eventually, FakeKernel, install, Sidecar, startAgent } from './stations.ts';

const NOBODY = 65_534;
const HELLO: ToAgent = { type: 'hello', protocol: AGENT_PROTOCOL, incarnation: new Uint8Array(16) };
const SYNC: ToAgent = { type: 'sync', id: 1, children: [], last: true };
const messages = (...all: readonly ToAgent[]): Bytes => concat(...all.map(encodeToAgent));
const raw = (value: object): Bytes => {
  const body = encodeCbor(value as never);
  return concat(new Uint8Array([0, 0, body.length >> 8, body.length & 0xff]), body);
};

/** However it ends. */
const closed = (socket: Socket): Promise<void> => new Promise((resolve) => void socket.resume().once('close', () => resolve()));

describe('the agent', { timeout: 30_000 }, () => {
  const path = join(scratch().path, 'agent.sock');
  const ending: (() => Promise<unknown>)[] = [];
  const agent = async (options?: AgentOptions): Promise<Agent> => {
    const started = await startAgent(path, options);
    ending.push(() => started.stop());
    return started;
  };
  const caller = async (bytes: Bytes): Promise<Socket> => {
    const socket = connect(path);
    socket.on('error', () => {});
    ending.push(async () => socket.destroy());
    await once(socket, 'connect');
    socket.write(bytes);
    return socket;
  };
  /** Sends it, and answers why the agent ended the connection. */
  const ended = async (one: Agent, bytes: Bytes): Promise<string> => {
    const [before, socket] = [one.lines.length, await caller(bytes)];
    await closed(socket);
    await eventually('a line', () => one.lines.slice(before).some(({ msg }) => /connection (ended|refused)/.test(msg)));
    return one.lines
      .slice(before)
      .map(({ msg }) => msg)
      .join('\n');
  };
  afterEach(async () => {
    for (const end of ending.splice(0).reverse()) await end();
  });

  it('refuses a user that it does not know, whatever he says', async () => {
    const one = await agent({ allowUids: [(process.getuid?.() ?? 0) + 1] });
    assert.match(
      await ended(one, messages(HELLO, SYNC)),
      /^connection refused: this user may not connect; name it with --allow-uid/,
    );
    assert.deepEqual(one.kernel.told, []);
    const other = new Sidecar(path);
    ending.push(() => other.connection.close());
    await eventually('lost', () => other.losses.length > 0);
    assert.match(other.losses[0] ?? '', /closed the connection|ECONNRESET|EPIPE/);
    await assert.rejects(other.connection.tun(1), /no TUN device of the agent/);
  });

  it('ends a connection at the first thing that is no message, and says what was wrong with it', async () => {
    const one = await agent();
    const cases: Readonly<Record<string, readonly [Bytes, RegExp]>> = {
      'a length of nothing': [new Uint8Array(4), /frame: 0 bytes/],
      'a length beyond the limit': [new Uint8Array([0, 0x10, 0, 1]), /frame: 1048577 bytes; send 1 to 1048576/],
      noise: [new Uint8Array([0, 0, 0, 3, 0xff, 0xff, 0xff]), /message: not CBOR of plain data/],
      'another protocol': [new TextEncoder().encode('GET / HTTP/1.1\r\n\r\n'), /frame: 1195725856 bytes/],
      'an unknown type': [raw({ type: 'flush' }), /message: type: unknown/],
      'a request before hello': [messages(SYNC), /message: type: sync before hello/],
      'a second hello': [messages(HELLO, HELLO), /message: type: hello after hello/],
      'an order before sync': [messages(HELLO, { type: 'orders', id: 1, orders: [] }), /a request before the end of sync/],
      'an order amid sync': [
        messages(HELLO, { type: 'sync', id: 1, children: [install(0x1000)], last: false }, { type: 'settle', id: 2 }),
        /a request before the end of sync/,
      ],
      'garbage after hello': [concat(messages(HELLO, SYNC), new Uint8Array(64).fill(0xee)), /frame: 4008636142 bytes/],
    };
    for (const [what, [bytes, expected]] of Object.entries(cases)) {
      assert.match(await ended(one, bytes), expected, what);
    }
    assert.ok(!one.server.attended);
  });

  it('keeps no parts of a sync that name nobody: they would pile up without end', async () => {
    const empty = { ...SYNC, last: false } as ToAgent;
    assert.match(await ended(await agent(), messages(HELLO, empty)), /names no child and is not the last/);
  });

  it('does not wait for ever: for a hello, for the rest of a frame, drop by drop', async () => {
    const impatient = await agent({ helloMs: 30 });
    assert.match(await ended(impatient, new Uint8Array(0)), /no hello after 30 ms/);
    await impatient.stop();
    const limits: Limits = { ...LIMITS, frameMs: 60 };
    const one = await agent({ limits });
    assert.match(await ended(one, messages(HELLO, SYNC).slice(0, -3)), /frame: not complete after 60 ms/);
    const socket = await caller(concat(messages(HELLO, SYNC), new Uint8Array([0, 0, 1, 0])));
    const dripping = setInterval(() => socket.write(new Uint8Array(1)), 10);
    await closed(socket);
    clearInterval(dripping);
    assert.match(one.lines.at(-1)?.msg ?? '', /frame: not complete after 60 ms/);
  });

  it('serves on while others hold connections that say nothing, up to a number', async () => {
    const one = await agent();
    const silent = await Promise.all(Array.from({ length: 7 }, () => caller(new Uint8Array(0))));
    const other = new Sidecar(path);
    ending.push(() => other.connection.close());
    await eventually('synced', () => one.server.synced);
    const more = await caller(new Uint8Array(0));
    await closed(await caller(new Uint8Array(0)));
    assert.match(one.lines.at(-1)?.msg ?? '', /too many connections that say nothing/);
    assert.ok(!more.destroyed && silent.every((socket) => !socket.destroyed));
    await other.connection.settle();
  });

  it('reads no further than it works: a flood waits with the one who sends it', async () => {
    const kernel = new FakeKernel();
    const one = await agent({ kernel });
    const socket = await caller(messages(HELLO, SYNC));
    await eventually('synced', () => one.server.synced);
    const gate = Promise.withResolvers<void>();
    kernel.hold = gate.promise;
    const flood = Array.from({ length: 2_000 }, (_, index) => encodeToAgent({ type: 'settle', id: index + 2 }));
    socket.write(concat(...flood));
    await eventually('busy', () => kernel.told.length > 30);
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(kernel.told.length < 100, `${kernel.told.length} begun`);
    gate.resolve();
    let answers = 0;
    socket.on('data', (data: Buffer) => {
      answers += data.length;
    });
    await eventually('all', () => kernel.told.length === 2_001);
    await eventually('all answers', () => answers > 2_000 * 20);
  });

  it('cuts off a sidecar that does not read', async () => {
    const one = await agent({ limits: { ...LIMITS, queuedBytes: 1 << 20, stalledMs: 60 } });
    await caller(messages(HELLO, SYNC));
    await eventually('synced', () => one.server.synced);
    for (let round = 0; round < 100; round++)
      one.server.reports(Array(1024).fill({ report: 'carried', spiIn: 0x1000, sent: 1, received: 1 }));
    await eventually('cut off', () => !one.server.attended);
    assert.match(one.lines.at(-1)?.msg ?? '', /the other side does not read: \d+ bytes wait/);
    await caller(messages(HELLO, SYNC));
    await eventually('synced', () => one.server.synced);
    for (let round = 0; round < 12; round++)
      one.server.reports(Array(1024).fill({ report: 'carried', spiIn: 0x1000, sent: 1, received: 1 }));
    await eventually('cut off', () => !one.server.attended);
    assert.match(one.lines.at(-1)?.msg ?? '', /the other side does not read: nothing in 60 ms/);
  });

  it('tells a sidecar of another version what it speaks, and both say what to do', async () => {
    const one = await agent();
    const socket = await caller(raw({ ...HELLO, protocol: 2, more: 'of the future' }));
    const [greeting] = (await once(socket, 'data')) as [Buffer];
    assert.equal(decodeFromAgent(new Uint8Array(greeting.subarray(LENGTH_BYTES))).type, 'welcome');
    await eventually('a line', () => one.lines.length > 0);
    assert.match(
      one.lines[0]?.msg ?? '',
      /speaks version 2 of the protocol between sidecar and agent, this one 1: run both from one image/,
    );
  });

  it('logs no key, whatever happens', async () => {
    const one = await agent();
    const other = new Sidecar(path);
    ending.push(() => other.connection.close());
    await eventually('synced', () => one.server.synced);
    const key = { encr: new Uint8Array(36).fill(0x4b), integ: new Uint8Array(0) };
    one.kernel.fails = 'EINVAL';
    await other.connection.request([install(0x1000, { keyIn: key, keyOut: { ...key, encr: key.encr.subarray(1) } })]);
    await other.connection.request([install(0x2000, { keyIn: key, keyOut: key })]);
    assert.doesNotMatch(JSON.stringify([one.lines, other.lines]), /KKKK|4b4b|S0tL|75,75/);
  });
});

describe('the socket of the agent', { timeout: 10_000 }, () => {
  const path = (): string => join(scratch().path, 'agent.sock');
  const accept = (socket: Socket): void => void socket.destroy();

  it('has the mode that it was given, from the beginning, and leaves nothing else behind', async () => {
    for (const mode of [0o600, 0o660]) {
      const at = path();
      const socket = await listenAt({ path: at, mode, accept });
      assert.equal((await lstat(at)).mode & 0o777, mode);
      assert.deepEqual(await readdir(dirname(at)), ['agent.sock']);
      await socket.close();
      assert.deepEqual(await readdir(dirname(at)), []);
    }
  });

  it('takes the place of one that nobody serves any more', async () => {
    const at = path();
    const dead = createServer().listen(`${at}.old`);
    await once(dead, 'listening');
    await link(`${at}.old`, at);
    dead.close();
    const socket = await listenAt({ path: at, mode: 0o600, accept });
    await once(connect(at), 'connect');
    await socket.close();
  });

  it('takes the place of nothing else', async () => {
    const at = path();
    const living = await listenAt({ path: at, mode: 0o600, accept });
    await assert.rejects(
      listenAt({ path: at, mode: 0o600, accept }),
      /^Error: another agent serves .*; stop that one, or choose/,
    );
    await living.close();
    await writeFile(at, 'a file');
    await assert.rejects(
      listenAt({ path: at, mode: 0o600, accept }),
      /is there and no socket; choose another path, or remove it$/,
    );
  });

  it('leaves in its place the socket of an agent that came after it', async () => {
    const at = path();
    const old = await listenAt({ path: at, mode: 0o600, accept });
    await rename(at, `${at}.gone`);
    const next = await listenAt({ path: at, mode: 0o600, accept });
    await old.close();
    assert.ok((await lstat(at)).isSocket());
    await next.close();
  });

  it('says what stands in its way', async () => {
    const long = join(scratch().path, 'x'.repeat(90));
    await assert.rejects(
      listenAt({ path: long, mode: 0o600, accept }),
      /too long for a socket; choose a path that is shorter by \d+ bytes/,
    );
    const nowhere = join(scratch().path, 'no', 'agent.sock');
    await assert.rejects(listenAt({ path: nowhere, mode: 0o600, accept }), /cannot make a socket in .*: ENOENT; /);
  });
});

describe('the sidecar', { timeout: 30_000 }, () => {
  const ending: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const end of ending.splice(0).reverse()) await end();
  });
  /** An agent that says this to each connection. */
  const saying = async (bytes: readonly Bytes[], patience: Partial<Patience> = {}): Promise<Sidecar> => {
    const path = join(scratch().path, 'agent.sock');
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', () => {});
      for (const one of bytes) socket.write(one);
    }).listen(path);
    await once(server, 'listening');
    const other = new Sidecar(path, patience);
    ending.push(() => new Promise((resolve) => server.close(resolve)));
    ending.push(() => other.connection.close());
    await eventually('lost', () => other.losses.length > 0);
    return other;
  };
  const WELCOME = encodeFromAgent({ type: 'welcome', protocol: 1, dataplane: 'kernel', mtu: 1400, isolateClients: false });

  it('tells an agent of another version by name, and goes on trying', async () => {
    const other = await saying([raw({ type: 'welcome', protocol: 9, dataplane: 'quantum' })]);
    assert.match(other.losses[0] ?? '', /speaks version 9 of the protocol .* run both from one image$/);
    assert.deepEqual(other.welcomes, []);
  });

  it('waits for no agent that says nothing, answers nothing, or something else', async () => {
    const reason = async (bytes: readonly Bytes[], patience?: Partial<Patience>): Promise<string> =>
      (await saying(bytes, patience)).losses[0] ?? '';
    assert.match(await reason([], { welcomeMs: 60 }), /^the agent said nothing for 60 ms$/);
    assert.match(await reason([WELCOME], { answerMs: 60 }), /^the agent has not answered for 60 ms$/);
    const limits = { ...LIMITS, frameMs: 60 };
    assert.match(await reason([WELCOME.slice(0, 20)], { limits }), /frame: not complete after 60 ms/);
    assert.match(await reason([WELCOME, WELCOME]), /type: welcome has no place here/);
    const done = encodeFromAgent({ type: 'done', id: 7, outcomes: [] });
    assert.match(await reason([WELCOME, done]), /done: of request 7 with 0 outcomes; 1 with 0 is next/);
    const health = encodeFromAgent({ type: 'health', problems: [] });
    assert.match(await reason([health]), /type: health before welcome/);
    assert.match(await reason([new Uint8Array([0xff, 0, 0, 0])]), /frame: 4278190080 bytes/);
  });

  it('may not connect where it has no right to', async () => {
    const at = join(scratch().path, 'agent.sock');
    const server = createServer().listen(at);
    await once(server, 'listening');
    await chmod(at, 0);
    // Root may always.
    const root = process.geteuid?.() === 0;
    if (root) process.seteuid?.(NOBODY);
    const other = new Sidecar(at);
    await eventually('lost', () => other.losses.length > 0).finally(() => root && process.seteuid?.(0));
    assert.match(other.losses[0] ?? '', /no permission to connect; start the agent with --socket-mode 0660/);
    await other.connection.close();
    await new Promise((resolve) => server.close(resolve));
  });
});
