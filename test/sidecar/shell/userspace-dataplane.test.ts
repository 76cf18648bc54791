/** ESP in this process, with a device from the agent: in a thread of its own, or without one where the platform has none. */
import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { fstatSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { UserspaceDataplane } from '../../../sidecar/dataplane/userspace.ts';
import type { Bytes } from '../../../sidecar/ike/wire/bytes.ts';
import { formatEndpoint, splitEndpoint } from '../../../sidecar/shell/endpoint.ts';
import { createDataplane, espApart } from '../../../sidecar/shell/gateway-dataplane.ts';
import { bindUdp } from '../../../sidecar/shell/udp.ts';
import { crypto } from '../../harness/peer.ts';
import { config } from '../../harness/policy.ts';
import { seeded } from '../../harness/random.ts';
import { ends, ping } from '../dataplane/children.ts';
import { PacketPipe } from '../dataplane/packet-pipe.ts';
import { StandInAgent, welcome } from './stand-in-agent.ts';

const HOST = '127.0.0.1';

/** A gateway whose agent gives it what acts as a TUN device. */
async function gateway(context: TestContext, { thread = true, isolateClients = false } = {}) {
  const agent = new StandInAgent();
  const link = agent.link();
  agent.handlers.welcome({ ...welcome, dataplane: 'userspace', isolateClients });
  const pipe = new PacketPipe();
  agent.tun = async () => [pipe.fd];
  const asked = { config: config({ esp: { forceEncapsulation: true } }), agent: link, tun: undefined };
  assert.equal(espApart(asked), true);
  const udp = await bindUdp({ addresses: [HOST], ikePort: 0, natPort: 0, espApart: thread });
  const failures: unknown[] = [];
  const dataplane = createDataplane({
    ...{ ...asked, crypto, random: seeded(3), udp, active: () => {}, changed: () => {} },
    send: (packet, path) => udp.sendEsp(packet, path),
    failed: (error) => failures.push(error),
  });
  udp.receive({ onIke: () => {}, onEsp: (packet, path) => void dataplane.port.receive(packet, path) });
  await dataplane.open();
  const local = udp.locals.find(({ nat }) => nat)?.local ?? assert.fail();
  context.after(async () => {
    await dataplane.close();
    await udp.close();
    assert.deepEqual(failures, []);
  });
  return { agent, pipe, udp, dataplane, local };
}

/** The other end of a child, which has no device. */
async function client(context: TestContext, remote: string) {
  const socket: Socket = createSocket('udp4').bind(0, HOST);
  await once(socket, 'listening');
  const local = formatEndpoint(HOST, socket.address().port);
  const arrived: Bytes[] = [];
  const port = new UserspaceDataplane({
    ...{ crypto, random: seeded(4), forward: false, ownAddresses: [], lifetimeBytes: 0 },
    send: (packet) => void socket.send(packet, splitEndpoint(remote).port, HOST),
    deliver: (inner) => void arrived.push(inner.slice()),
  });
  socket.on('message', (message) => void port.receive(new Uint8Array(message), { local, remote }));
  context.after(() => void socket.close());
  return { local, port, arrived };
}
const until = async (is: () => boolean): Promise<void> => {
  while (!is()) await new Promise((resolve) => setTimeout(resolve, 5));
};

describe('ESP in user space with a device of the agent', { timeout: 20_000 }, () => {
  for (const thread of [true, false])
    it(`carries packets both ways ${thread ? 'in a thread of its own' : 'where there is no such thread'}`, async (context) => {
      const { pipe, dataplane, local, udp } = await gateway(context, { thread });
      const peer = await client(context, local);
      const child = ends(0x1000);
      await dataplane.port.order({ order: 'install', child: { ...child.gateway, path: { local, remote: peer.local } } });
      peer.port.order({ order: 'install', child: { ...child.client, path: { local: peer.local, remote: local } } });
      const [up, down] = [ping('10.8.0.7', '192.0.2.9'), ping('192.0.2.9', '10.8.0.7')];
      peer.port.transmit(up);
      assert.deepEqual(await pipe.next(), up);
      pipe.write(down);
      await until(() => peer.arrived.length > 0);
      assert.deepEqual(peer.arrived, [down]);
      assert.equal(udp.espSockets === undefined, !thread);
      const last = await dataplane.port.order({ order: 'remove', spiIn: child.gateway.spiIn });
      if (thread) assert.deepEqual([last?.packetsIn, last?.packetsOut], [1, 1]);
    });

  it('keeps clients from each other when the agent says so, whichever agent said it last', async (context) => {
    const { agent, dataplane, local } = await gateway(context, { isolateClients: true });
    const [a, b] = [await client(context, local), await client(context, local)];
    const [first, second] = [ends(0x1000), ends(0x2000, { inner: ['10.8.0.8'] })];
    for (const [peer, child] of [
      [a, first],
      [b, second],
    ] as const) {
      await dataplane.port.order({ order: 'install', child: { ...child.gateway, path: { local, remote: peer.local } } });
      peer.port.order({ order: 'install', child: { ...child.client, path: { local: peer.local, remote: local } } });
    }
    a.port.transmit(ping('10.8.0.7', '10.8.0.8'));
    await until(() => dataplane.port.stats().drops['isolated'] === 1);
    agent.handlers.welcome({ ...welcome, dataplane: 'userspace', isolateClients: false });
    await dataplane.port.settle();
    a.port.transmit(ping('10.8.0.7', '10.8.0.8'));
    await until(() => b.arrived.length === 1);
  });

  it('takes no clients any more when somebody removes its device', async (context) => {
    const { pipe, dataplane } = await gateway(context);
    pipe.vanish();
    await until(() => dataplane.problems().length > 0);
    const [problem, ...others] = dataplane.problems();
    assert.deepEqual([problem?.severity, others], ['blocking', []]);
    assert.match(problem?.text ?? '', /was it removed\? Start this process anew/);
  });

  it('gives a device back that comes after it was closed', async (context) => {
    const { agent, dataplane } = await gateway(context, { thread: false });
    const late = Promise.withResolvers<readonly number[]>();
    agent.tun = () => late.promise;
    const opened = dataplane.open();
    await dataplane.close();
    const { fd } = new PacketPipe();
    late.resolve([fd]);
    await opened;
    assert.throws(() => fstatSync(fd), { code: 'EBADF' });
  });

  it('says that it has no device, and is ready as soon as it has', async (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] });
    const agent = new StandInAgent();
    const link = agent.link();
    agent.handlers.welcome({ ...welcome, dataplane: 'userspace' });
    let changes = 0;
    const dataplane = createDataplane({
      ...{
        config: config({ esp: { forceEncapsulation: true } }),
        agent: link,
        tun: undefined,
        crypto,
        random: seeded(3),
        active: () => {},
        send: () => {},
      },
      ...{
        udp: { natDescriptors: [], espSockets: undefined, takeEsp: () => {} },
        failed: () => {},
        changed: () => void changes++,
      },
    });
    const texts = () => dataplane.problems().map(({ severity, text }) => [severity, text]);
    await dataplane.open();
    assert.deepEqual([texts(), changes], [[['blocking', 'no TUN device here']], 1]);
    const pipe = new PacketPipe();
    agent.tun = async () => [pipe.fd];
    context.mock.timers.tick(3_000);
    while (changes < 2) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(texts(), []);
    await dataplane.close();
  });
});
