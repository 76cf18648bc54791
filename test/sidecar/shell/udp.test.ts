/** The UDP sockets of a gateway, over loopback. */
import assert from 'node:assert/strict';
import { createSocket, Socket } from 'node:dgram';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import type { Path } from '../../../sidecar/ike/sa.ts';
import { formatEndpoint, splitEndpoint } from '../../../sidecar/shell/endpoint.ts';
import { localAddresses } from '../../../sidecar/shell/local-addresses.ts';
import { bindUdp, type Udp } from '../../../sidecar/shell/udp.ts';
import { loadUdpBatches } from '../../../sidecar/shell/udp-batches.ts';

for (const [family, address, calls] of [
  ['udp4', '127.0.0.1', 'in batches'],
  ['udp6', '::1', 'in batches'],
  ['udp4', '127.0.0.1', 'by dgram alone'],
  ['udp6', '::1', 'by dgram alone'],
] as const) {
  const load = calls === 'in batches' ? loadUdpBatches : async () => undefined;
  describe(`the sockets of a gateway (${family}, ${calls})`, () => {
    const received: { kind: string; bytes: number[]; path: Path }[] = [];
    let udp: Udp;
    let client: Socket;
    let waiting: (() => void) | undefined;
    const took = (kind: string) => (bytes: Uint8Array, path: Path) => {
      assert.equal(bytes.constructor, Uint8Array);
      received.push({ kind, bytes: [...bytes], path });
      waiting?.();
    };
    before(async () => {
      udp = await bindUdp({ addresses: [address], ikePort: 0, natPort: 0 }, load);
      udp.receive({ onIke: took('ike'), onEsp: took('esp') });
      client = createSocket(family);
      client.bind(0, address);
      await once(client, 'listening');
    });
    after(async () => {
      client.close();
      await udp.close();
    });
    const local = (nat: boolean): string => udp.locals.find((one) => one.nat === nat)?.local ?? '';
    const ours = (): string => formatEndpoint(address, client.address().port);
    const send = (nat: boolean, ...bytes: number[]): void =>
      client.send(Uint8Array.from(bytes), splitEndpoint(local(nat)).port, address);
    const next = async () => {
      if (received.length === 0) await new Promise<void>((resolve) => (waiting = resolve));
      return received.shift();
    };

    it('take everything on the IKE port for IKE', async () => {
      send(false, 0, 0, 0, 0, 7);
      assert.deepEqual(await next(), { kind: 'ike', bytes: [0, 0, 0, 0, 7], path: { local: local(false), remote: ours() } });
    });

    it('take four zero bytes on the NAT port for the marker of IKE, one byte for a keepalive, the rest for ESP', async () => {
      send(true, 0xff);
      send(true);
      send(true, 0, 0, 0, 0, 7);
      assert.deepEqual(await next(), { kind: 'ike', bytes: [7], path: { local: local(true), remote: ours() } });
      send(true, 0, 0, 1, 0, 7);
      assert.deepEqual(await next(), { kind: 'esp', bytes: [0, 0, 1, 0, 7], path: { local: local(true), remote: ours() } });
    });

    it('send from the end that the path names, IKE marked on the NAT port only', async () => {
      const answers: [number[], number][] = [];
      const three = new Promise<void>((resolve) => {
        client.on('message', (bytes, from) => void (answers.push([[...bytes], from.port]) === 3 && resolve()));
      });
      const path = (nat: boolean): Path => ({ local: local(nat), remote: ours() });
      udp.sendIke(Uint8Array.of(1), path(false));
      udp.sendIke(Uint8Array.of(2), path(true));
      udp.sendEsp(Uint8Array.of(3), path(true));
      await three;
      const [ike, nat] = [splitEndpoint(local(false)).port, splitEndpoint(local(true)).port];
      assert.deepEqual(answers.toSorted(), [
        [[0, 0, 0, 0, 2], nat],
        [[1], ike],
        [[3], nat],
      ]);
    });

    it('send for an SA of another pod from their own end of the same port', async () => {
      const answered = once(client, 'message');
      const { port } = splitEndpoint(local(true));
      const foreign = formatEndpoint(family === 'udp4' ? '127.0.0.9' : '2001:db8::9', port);
      udp.sendEsp(Uint8Array.of(9), { local: foreign, remote: ours() });
      const [bytes, from] = await answered;
      assert.deepEqual([[...bytes], from.port], [[9], port]);
    });

    it('take and send a burst in order, each datagram whole', async () => {
      const burst = Array.from({ length: 200 }, (_, at) => Uint8Array.from({ length: at + 5 }, () => at));
      for (const bytes of burst) client.send(bytes, splitEndpoint(local(false)).port, address);
      for (const bytes of burst) assert.deepEqual((await next())?.bytes, [...bytes]);
      const answers: number[][] = [];
      const all = new Promise<void>((resolve) => {
        client.on('message', (bytes) => void (answers.push([...bytes]) === burst.length && resolve()));
      });
      for (const bytes of burst) udp.sendIke(bytes, { local: local(false), remote: ours() });
      await all;
      client.removeAllListeners('message');
      assert.deepEqual(
        answers,
        burst.map((bytes) => [...bytes]),
      );
    });

    it('count what cannot be sent, and go on', async () => {
      udp.sendIke(Uint8Array.of(1), { local: formatEndpoint(address, 1), remote: ours() });
      udp.sendIke(new Uint8Array(70_000), { local: local(false), remote: ours() });
      send(false, 5);
      assert.deepEqual((await next())?.bytes, [5]);
      assert.deepEqual(udp.counts().failed, { NO_SOCKET: 1, EMSGSIZE: 1 });
      assert.ok(udp.buffers().receive > 0);
    });

    it('explain why they cannot have a port, and let go of the others', async () => {
      const { port } = splitEndpoint(local(false));
      await assert.rejects(bindUdp({ addresses: [address], ikePort: port, natPort: 0 }, load), {
        message: `cannot listen on UDP port ${port} of ${address}: EADDRINUSE; another process has it: stop that one or choose another port`,
      });
    });
  });
}

it('batches of datagrams are to be had where the tests run', async () => {
  assert.ok(await loadUdpBatches());
});

describe('a datagram at a socket of a gateway', () => {
  const sockets: Socket[] = [];
  const took: Path[] = [];
  let udp: Udp;
  const onSocket = (message: unknown): void => {
    if (message !== null && typeof message === 'object' && 'socket' in message && message.socket instanceof Socket)
      sockets.push(message.socket);
  };
  before(async () => {
    subscribe('udp.socket', onSocket);
    udp = await bindUdp({ addresses: ['127.0.0.1'], ikePort: 0, natPort: 0 });
    unsubscribe('udp.socket', onSocket);
  });
  after(() => udp.close());
  /** As the system would hand it in; an ordinary process cannot send from there. */
  const arrive = (from: string, port: number): void => {
    for (const socket of sockets) socket.emit('message', Buffer.alloc(5), { address: from, port, family: 'IPv4', size: 5 });
  };

  it('that comes before anybody receives is dropped and counted', () => {
    arrive('192.0.2.7', 500);
    assert.deepEqual(udp.counts().dropped, { 'not-ready': 2, 'source-port-zero': 0, 'source-scoped': 0 });
    assert.equal(udp.counts().received, 2);
    udp.receive({ onIke: (_, path) => void took.push(path), onEsp: (_, path) => void took.push(path) });
    arrive('192.0.2.7', 500);
    assert.equal(took.splice(0).length, 2);
  });

  it('from port 0 is dropped and counted, for nothing can be sent there', () => {
    arrive('192.0.2.7', 0);
    assert.deepEqual(took, []);
    assert.equal(udp.counts().dropped['source-port-zero'], 2);
  });

  it('from a link-local address is dropped and counted, for no path can name its interface', () => {
    arrive('fe80::1%eth0', 500);
    assert.deepEqual(took, []);
    assert.equal(udp.counts().dropped['source-scoped'], 2);
  });

  it('to port 0 is one that was not sent, and closing does not wait for it', async () => {
    const [{ local } = { local: '' }] = udp.locals;
    udp.sendIke(Uint8Array.of(1), { local, remote: '192.0.2.7:0' });
    assert.deepEqual(udp.counts().failed, { ERR_SOCKET_BAD_PORT: 1 });
    await udp.close();
    udp = await bindUdp({ addresses: ['127.0.0.1'], ikePort: 0, natPort: 0 });
  });
});

describe('local addresses', () => {
  const entry = (address: string, family: 'IPv4' | 'IPv6') => ({
    address,
    family,
    netmask: '',
    mac: '',
    internal: false,
    cidr: null,
    scopeid: 0,
  });
  const all = {
    lo: [entry('127.0.0.1', 'IPv4'), entry('::1', 'IPv6')],
    eth0: [entry('10.1.2.3', 'IPv4'), entry('fe80::1', 'IPv6'), entry('2001:db8::5', 'IPv6')],
  };

  it('stand in for the wildcards, without link-local ones', () => {
    assert.deepEqual(localAddresses(['0.0.0.0', '::'], all), ['127.0.0.1', '10.1.2.3', '::1', '2001:db8::5']);
    assert.deepEqual(localAddresses(['::', '2001:db8::5'], all), ['::1', '2001:db8::5']);
    assert.deepEqual(localAddresses(['192.0.2.1'], all), ['192.0.2.1']);
    assert.throws(() => localAddresses(['::'], {}), { message: 'this machine has no address for ::; name one with --address' });
  });
});

describe('sockets with ESP apart', () => {
  const wanted = { addresses: ['127.0.0.1', '::1'], ikePort: 0, natPort: 0, espApart: true };

  it('are none where the platform cannot tell ESP from IKE, and everything arrives here', async () => {
    const udp = await bindUdp(wanted, async () => undefined);
    assert.equal(udp.espSockets, undefined);
    await udp.close();
  });

  it('are not shared with a second gateway by mistake', async (t) => {
    const udp = await bindUdp(wanted);
    t.after(() => udp.close());
    for (const { local } of udp.espSockets ?? []) {
      const { address, port } = splitEndpoint(local);
      for (const espApart of [true, false])
        await assert.rejects(bindUdp({ addresses: [address], ikePort: 0, natPort: port, espApart }), /EADDRINUSE/);
    }
  });

  it('hand everything over when nobody reads ESP elsewhere', async (t) => {
    const udp = await bindUdp(wanted);
    t.after(() => udp.close());
    udp.takeEsp();
    assert.equal(udp.espSockets, undefined);
    const esp = new Promise<Uint8Array>((resolve) => udp.receive({ onIke: () => {}, onEsp: resolve }));
    const client = createSocket('udp4');
    t.after(() => client.close());
    const local = udp.locals.find((one) => one.nat)?.local ?? '';
    client.send(Uint8Array.of(1, 2, 3, 4, 5), splitEndpoint(local).port, '127.0.0.1');
    assert.deepEqual([...(await esp)], [1, 2, 3, 4, 5]);
  });
});
