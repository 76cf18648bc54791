/** Two gateways with real sockets and the real core, and a client whose datagrams go to either: sessions come to be, move and come back. */
import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { DEFAULT_ESP_ALGORITHMS, DEFAULT_IKE_ALGORITHMS } from '../../../sidecar/contract/algorithms.ts';
import { parseIdentity } from '../../../sidecar/contract/identity.ts';
import type { PacketDataplane } from '../../../sidecar/dataplane/dataplane.ts';
import { NO_DROPS, NO_TRAFFIC } from '../../../sidecar/dataplane/userspace/traffic.ts';
import type { Connection, HeldTicket } from '../../../sidecar/ike/connection.ts';
import { cryptography } from '../../../sidecar/ike/crypto/cryptographies.ts';
import { Gateway } from '../../../sidecar/ike/gateway.ts';
import type { Event } from '../../../sidecar/ike/step.ts';
import { createLog } from '../../../sidecar/process/log.ts';
import { systemClock } from '../../../sidecar/shell/clock.ts';
import { formatEndpoint, splitEndpoint } from '../../../sidecar/shell/endpoint.ts';
import { Loop, systemAfter } from '../../../sidecar/shell/loop.ts';
import { pooledRandom } from '../../../sidecar/shell/random.ts';
import { Sidecar } from '../../../sidecar/shell/sidecar.ts';
import { exampleConfig, exampleRing } from './example-files.ts';

const ALICE = 'alice@example.com';
const PSK = 'a secret of sixteen';
/** Both listen on these, each at its own address. */
const PORTS = { ikePort: 15_500, natPort: 15_501, httpPort: 15_502, peerPort: 15_503 };
const address = (ordinal: number): string => `127.83.0.1${ordinal}`;
const endpoint = (ordinal: number, port: number): string => formatEndpoint(address(ordinal), port);

class Client {
  readonly #socket: Socket = createSocket('udp4');
  readonly #events: Event[] = [];
  readonly #loop: Loop;
  #wake: (() => void) | undefined;

  /** As a load balancer does: which pod gets what is sent to a port. To the client it is one gateway, whichever answers. */
  constructor(pods: { readonly ike: number; readonly nat: number }) {
    this.#loop = new Loop({
      core: new Gateway({ crypto, random: pooledRandom(), member: { ordinal: undefined, incarnation: new Uint8Array(16) } }),
      ...{ clock: systemClock(), after: systemAfter, dataplane, ask: async () => undefined },
      send: (bytes, { remote }) => {
        const nat = splitEndpoint(remote).port === PORTS.natPort;
        const whole = nat ? Buffer.concat([Buffer.alloc(4), bytes]) : bytes;
        this.#socket.send(whole, nat ? PORTS.natPort : PORTS.ikePort, address(nat ? pods.nat : pods.ike));
      },
      observe: (event) => {
        this.#events.push(event);
        this.#wake?.();
      },
      failed: (error) => {
        throw error;
      },
    });
    this.#socket.on('message', (message, { port }) => {
      const bytes = new Uint8Array(message).subarray(port === PORTS.natPort ? 4 : 0);
      this.#loop.handle({ type: 'datagram', path: { local: this.#local(), remote: formatEndpoint(VIRTUAL, port) }, bytes });
    });
  }

  async connect(ticket?: HeldTicket): Promise<void> {
    this.#socket.bind(0, '127.0.0.1');
    await once(this.#socket, 'listening');
    this.#loop.handle({ type: 'connect', connection: this.#connection(), ticket });
  }

  async event<N extends Event['name']>(name: N): Promise<Extract<Event, { name: N }>> {
    for (;;) {
      const found = this.#events.find((event): event is Extract<Event, { name: N }> => event.name === name);
      if (found) return found;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  close(): void {
    this.#loop.stop();
    this.#socket.close();
  }

  #local = (): string => formatEndpoint('127.0.0.1', this.#socket.address().port);

  #connection(): Connection {
    return {
      name: 'test',
      path: { local: this.#local(), remote: formatEndpoint(VIRTUAL, PORTS.ikePort) },
      natPath: { local: this.#local(), remote: formatEndpoint(VIRTUAL, PORTS.natPort) },
      local: parseIdentity(ALICE),
      remote: parseIdentity('vpn.example.com'),
      authentication: { method: 'psk', secret: new TextEncoder().encode(PSK) },
      trust: { anchors: [], lists: [] },
      ...{ ppk: undefined, postQuantum: 'any' },
      ike: DEFAULT_IKE_ALGORITHMS,
      esp: DEFAULT_ESP_ALGORITHMS,
      addresses: { ipv4: true, ipv6: false },
      localTraffic: [EVERYTHING],
      remoteTraffic: [EVERYTHING],
      tickets: true,
      redirects: { from: undefined },
      mobike: true,
      childless: false,
      forceEncapsulation: true,
      ...{ rekeyMs: 0, childRekeyMs: 0, reauthenticationMs: 3_600_000, deadPeerMs: 30_000 },
      retransmit: { firstMs: 500, factor: 2, attempts: 3 },
      fragmentBytes: 1_200,
    };
  }
}

const crypto = cryptography('auto');
/** Carries nothing. */
const dataplane: PacketDataplane = {
  ...{ order: () => {}, receive: () => undefined, reports: () => [], settle: () => undefined, close: () => {} },
  traffic: () => undefined,
  stats: () => ({ children: [], totals: NO_TRAFFIC, drops: NO_DROPS }),
};
const VIRTUAL = '127.83.0.9';
const EVERYTHING = { protocol: 0, startPort: 0, endPort: 65_535, start: new Uint8Array(4), end: new Uint8Array(4).fill(255) };

describe('two gateways', { timeout: 20_000 }, () => {
  let directory: string;
  const pods: Sidecar[] = [];
  const lines: Record<string, unknown>[] = [];
  const open = async (ordinal: number): Promise<void> => {
    const log = createLog({ level: 'info', base: { ordinal }, to: { write: (line) => void lines.push(JSON.parse(line)) } });
    const inside = (name: string): string => join(directory, name);
    const paths = {
      config: inside('gateway.yaml'),
      keyRing: inside('key-ring.yaml'),
      credentials: { psk: [{ path: inside('psk'), name: undefined }] },
    };
    const http = { host: address(ordinal), port: undefined };
    const addresses = [address(ordinal)];
    pods[ordinal] = new Sidecar(
      { paths, http, ordinal, addresses, podUid: undefined, tun: undefined, agent: undefined, logLevel: 'info', version: '0' },
      log,
    );
    await pods[ordinal].start();
  };
  const metric = async (ordinal: number, series: string): Promise<number> => {
    const body = await (await fetch(`http://${endpoint(ordinal, PORTS.httpPort)}/metrics`)).text();
    return Number(
      body
        .split('\n')
        .find((line) => line.startsWith(`${series} `))
        ?.split(' ')
        .at(-1),
    );
  };
  const said = (msg: string): readonly unknown[] => lines.filter((line) => line['msg'] === msg).map((line) => line['ordinal']);

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'rekindle-pods-'));
    const listen = `listen: { ikePort: 15500, natPort: 15501, httpPort: 15502, peerPort: 15503 }\npeers: { host: "127.83.0.1{ordinal}", replicas: 2 }\nslices: 2`;
    await writeFile(join(directory, 'gateway.yaml'), exampleConfig(1).replace(/listen:.*/, listen));
    await writeFile(join(directory, 'key-ring.yaml'), exampleRing(1));
    await mkdir(join(directory, 'psk'));
    await writeFile(join(directory, 'psk', 'users.yaml'), `"${ALICE}": ${PSK}`);
    await Promise.all([open(0), open(1)]);
    for (const ordinal of [0, 1])
      while (!(await metric(ordinal, 'rekindle_ready'))) await new Promise((resolve) => setTimeout(resolve, 10));
  });
  after(async () => {
    await Promise.all(pods.map((pod) => pod.close()));
    await rm(directory, { recursive: true });
  });

  it('establish a session with a client whose two ports reach different pods, by handing it over', async () => {
    const client = new Client({ ike: 0, nat: 1 });
    await client.connect();
    const { kind } = await client.event('established');
    assert.equal(kind, 'full');
    assert.deepEqual(
      [said('handed over to a sibling'), said('taken over from a sibling'), said('session established')],
      [[0], [1], [1]],
    );
    assert.equal(await metric(1, 'rekindle_sessions'), 1);
    assert.equal(await metric(0, 'rekindle_half_open'), 0);
    assert.equal(await metric(1, 'rekindle_hand_offs_total{outcome="taken"}'), 1);
    client.close();
  });

  it('drop garbage on every port, and go on', async () => {
    const before = await metric(0, 'rekindle_dropped_datagrams_total{reason="malformed"}');
    const stranger = createSocket('udp4');
    const junk = [
      new Uint8Array(0),
      new Uint8Array(4),
      new Uint8Array(28),
      new Uint8Array(3).fill(7),
      new Uint8Array(1_400).fill(0x22),
    ];
    for (const port of [PORTS.ikePort, PORTS.natPort]) for (const bytes of junk) stranger.send(bytes, port, address(0));
    const asked = await fetch(`http://${endpoint(0, PORTS.peerPort)}/peer`, { method: 'POST', body: 'garbage' });
    assert.equal(asked.status, 204);
    while ((await metric(0, 'rekindle_dropped_datagrams_total{reason="malformed"}')) < before + 5)
      await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(await metric(0, 'rekindle_internal_errors_total'), 0);
    stranger.close();
  });

  it('resume with the other pod a session whose pod is gone', async () => {
    const client = new Client({ ike: 1, nat: 1 });
    await client.connect();
    const { ticket } = await client.event('ticket');
    client.close();
    await pods[1]?.close();
    const again = new Client({ ike: 0, nat: 0 });
    await again.connect(ticket);
    const { kind, keyExchanges } = await again.event('established');
    assert.deepEqual({ kind, keyExchanges }, { kind: 'resumed', keyExchanges: 0 });
    assert.equal(await metric(0, 'rekindle_resumptions_total{outcome="resumed"}'), 1);
    again.close();
  });
});
