/** The UDP service keeps and loses flows as kube-proxy and conntrack do. Real sockets on the loopback network, an injected clock. */
import assert from 'node:assert/strict';
import { createSocket, Socket } from 'node:dgram';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, describe, it } from 'node:test';
import type { Endpoint } from '../../../operator/local/endpoint.ts';
import { UdpService, type UdpServiceOptions } from '../../../operator/local/udp-service.ts';
import { FakeClock } from '../../harness/fake-clock.ts';

const ADDRESS = '127.118.0.1';
const PORT = 15_581;
const OTHER_PORT = 15_582;

const open: { close(): void }[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

/** Answers with its own name and the port that it was asked from. */
async function pod(name: string, address: string): Promise<Endpoint> {
  for (const port of [PORT, OTHER_PORT]) {
    const socket = await bound(address, port);
    socket.on('message', (_bytes, from) => socket.send(`${name} ${from.port}`, from.port, from.address));
  }
  return { uid: name, address, serving: true, terminating: false };
}

async function bound(address: string, port: number): Promise<Socket> {
  const socket = createSocket('udp4');
  open.push(socket);
  await new Promise<void>((resolve, reject) => socket.once('error', reject).bind(port, address, resolve));
  return socket;
}

async function begin(more: Partial<UdpServiceOptions> = {}) {
  const clock = new FakeClock();
  let turn = 0;
  const service = new UdpService({
    address: ADDRESS,
    ports: [PORT, OTHER_PORT].map((port) => ({ port, targetPort: port })),
    affinity: 'None',
    clock,
    // First endpoint, second, first …
    random: () => (turn++ % 2) / 2,
    ...more,
  });
  await service.start();
  open.push({ close: () => service.stop() });
  const pods = [await pod('a', '127.118.0.10'), await pod('b', '127.118.0.11')] as const;
  service.setEndpoints(pods);
  return { clock, service, pods };
}

const client = (address = '127.0.0.1') => bound(address, 0);

/** One datagram and its answer: the pod's name and the port that it saw. */
async function ask(socket: Socket, port = PORT): Promise<{ readonly pod: string; readonly port: number }> {
  const answer = new Promise<string>((resolve) => socket.once('message', (bytes) => resolve(`${bytes}`)));
  socket.send('?', port, ADDRESS);
  const [name = '', seen] = (await answer).split(' ');
  return { pod: name, port: Number(seen) };
}

describe('UDP service', { timeout: 10_000 }, () => {
  it('keeps a flow on its pod and spreads new ones, each from a port of its own', async () => {
    const { service } = await begin();
    const [one, two] = [await client(), await client()];
    const first = await ask(one);
    const second = await ask(two);
    assert.deepEqual([first.pod, second.pod], ['a', 'b']);
    assert.notEqual(first.port, second.port);
    assert.deepEqual(await ask(one), first);
    assert.deepEqual(
      service.flows().map(({ toPod, toClient }) => [toPod, toClient]),
      [
        [1, 1],
        [2, 2],
      ],
    );
  });

  it('may send the two ports of one client to different pods: without affinity, and with ClientIP too, which is per port', async () => {
    for (const affinity of ['None', 'ClientIP'] as const) {
      const { service } = await begin({ affinity });
      const socket = await client();
      assert.deepEqual([(await ask(socket)).pod, (await ask(socket, OTHER_PORT)).pod], ['a', 'b']);
      service.stop();
      for (const each of open.splice(0)) each.close();
    }
  });

  it('sends every flow of a client address to one pod with ClientIP', async () => {
    await begin({ affinity: 'ClientIP' });
    const pods = [await ask(await client()), await ask(await client()), await ask(await client('127.0.0.9'))].map(
      (answer) => answer.pod,
    );
    assert.deepEqual(pods, ['a', 'a', 'b']);
  });

  it('keeps the flows of a pod that terminates, and gives it no new ones while there is another', async () => {
    const { service, pods } = await begin({ random: () => 0 });
    const [a, b] = pods;
    const old = await client();
    assert.equal((await ask(old)).pod, 'a');
    service.setEndpoints([{ ...a, terminating: true }, b]);
    assert.equal((await ask(old)).pod, 'a');
    assert.equal((await ask(await client())).pod, 'b');
    service.setEndpoints([{ ...a, terminating: true }]);
    assert.equal((await ask(await client())).pod, 'a');
  });

  it('flushes the flows and the affinity of a pod that is gone or serves no more', async () => {
    for (const lose of [(a: Endpoint, b: Endpoint) => [{ ...a, serving: false }, b], (_a: Endpoint, b: Endpoint) => [b]]) {
      const { service, pods } = await begin({ affinity: 'ClientIP', random: () => 0 });
      const [a, b] = pods;
      const socket = await client();
      assert.equal((await ask(socket)).pod, 'a');
      service.setEndpoints(lose(a, b));
      assert.equal((await ask(socket)).pod, 'b');
      service.stop();
      for (const each of open.splice(0)) each.close();
    }
  });

  it('takes a successor at the same address for another pod', async () => {
    const { service, pods } = await begin({ random: () => 0 });
    const socket = await client();
    await ask(socket);
    service.setEndpoints([{ ...pods[0], uid: 'successor' }]);
    assert.deepEqual(service.flows(), []);
  });

  it('forgets a flow after two minutes of silence, and after half a minute when it was never answered', async () => {
    const { clock, service, pods } = await begin({ random: () => 0 });
    const answered = await client();
    await ask(answered);
    service.setEndpoints([{ ...pods[0], address: '127.118.0.99', uid: 'dead' }, pods[0]]);
    const unanswered = await client();
    unanswered.send('?', PORT, ADDRESS);
    while (service.flows().length < 2) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(38_000);
    assert.equal(service.flows().length, 1);
    await clock.advance(70_000);
    assert.equal(service.flows().length, 1);
    await clock.advance(25_000);
    assert.equal(service.flows().length, 0);
  });

  it('drops what comes from port 0, where no answer could go', async () => {
    const sockets: Socket[] = [];
    const onSocket = (message: unknown): void => {
      if (message !== null && typeof message === 'object' && 'socket' in message && message.socket instanceof Socket)
        sockets.push(message.socket);
    };
    subscribe('udp.socket', onSocket);
    const { service } = await begin({ random: () => 0 });
    unsubscribe('udp.socket', onSocket);
    // As the system would hand it in; an ordinary process cannot send from there.
    const from = { address: '127.0.0.1', port: 0, family: 'IPv4', size: 1 };
    for (const socket of sockets) if (socket.address().address === ADDRESS) socket.emit('message', Buffer.from('?'), from);
    assert.deepEqual(service.flows(), []);
    assert.equal((await ask(await client())).pod, 'a');
  });

  it('drops what comes while there is no pod, and a stranger on the flow of a pod gets nothing through', async () => {
    const { service, pods } = await begin({ random: () => 0 });
    const socket = await client();
    const { port } = await ask(socket);
    const heard: string[] = [];
    socket.on('message', (bytes) => heard.push(`${bytes}`));
    (await client()).send('forged', port, ADDRESS);
    await ask(socket);
    assert.ok(!heard.includes('forged'));
    service.setEndpoints([{ ...pods[0], serving: false }]);
    socket.send('?', PORT, ADDRESS);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(service.flows(), []);
  });
});
