/** Gateway pods behind one address, and sockets of clients, on a network whose clock a test moves. Real cores, real data planes. */

import { Client } from '../../../sidecar/client/client.ts';
import type { ClientEvent } from '../../../sidecar/client/event.ts';
import { type ClientOptions, clientOptions } from '../../../sidecar/client/options.ts';
import type { ClientPorts, ClientSocket, SocketRequest } from '../../../sidecar/client/ports.ts';
import { TicketMemory, type TicketStore } from '../../../sidecar/client/ticket-store.ts';
import { Secret } from '../../../sidecar/contract/secret.ts';
import { UserspaceDataplane } from '../../../sidecar/dataplane/userspace.ts';
import type { EapSpeaker } from '../../../sidecar/eap/speaker.ts';
import type { Policy } from '../../../sidecar/ike/context.ts';
import { cryptography } from '../../../sidecar/ike/crypto/cryptographies.ts';
import { Gateway } from '../../../sidecar/ike/gateway.ts';
import { type Instant, later } from '../../../sidecar/ike/sa.ts';
import type { Event } from '../../../sidecar/ike/step.ts';
import type { Bytes } from '../../../sidecar/ike/wire/bytes.ts';
import { Loop } from '../../../sidecar/shell/loop.ts';
import { FakeClock } from '../../harness/fake-clock.ts';
import { ALICE, config, PSK, policy } from '../../harness/policy.ts';
import { seeded } from '../../harness/random.ts';

export const SERVICE = '198.51.100.1';
export const INNER_GATEWAY = Uint8Array.of(10, 8, 0, 1);
const HOME = '192.0.2.1';
const DELAY_MS = 1;

export const podPolicy = (): Policy => policy({ config: config({ peers: { host: 'pod-{ordinal}', replicas: 2 } }) });

export class Pod {
  readonly ordinal: number;
  readonly core: Gateway;
  readonly loop: Loop;
  readonly events: Event[] = [];
  alive = true;
  /** The address that it is behind. */
  service = SERVICE;

  constructor(network: Network, ordinal: number, eap?: EapSpeaker) {
    const random = seeded(100 + ordinal);
    const crypto = cryptography('auto');
    this.ordinal = ordinal;
    this.core = new Gateway({ crypto, random, member: { ordinal, incarnation: random(16) } });
    const dataplane = new UserspaceDataplane({
      ...{ crypto, random, ownAddresses: [INNER_GATEWAY], lifetimeBytes: 0, forward: true },
      send: (packet, path) => network.toClient(this, { kind: 'esp', bytes: packet, from: path.local, to: path.remote }),
    });
    this.loop = new Loop({
      ...{ core: this.core, dataplane, clock: () => network.now(), after: network.after },
      send: (bytes, path) => network.toClient(this, { kind: 'ike', bytes, from: path.local, to: path.remote }),
      ask: (to, bytes) => network.ask(to, bytes),
      ...(eap && { eap }),
      observe: (event) => this.events.push(event),
      failed: (error) => {
        throw error;
      },
    });
    this.configure(podPolicy());
  }

  configure(inForce: Policy): void {
    this.loop.handle({ type: 'configure', policy: inForce });
  }

  /** Our SPIs of the sessions here. */
  sessions(): readonly string[] {
    return this.core.sessions().flatMap(({ phase, spi }) => (phase === 'established' ? [spi] : []));
  }

  /** SIGKILL. */
  kill(): void {
    this.alive = false;
    this.loop.stop();
  }
}

export interface Datagram {
  readonly kind: 'ike' | 'esp' | 'keepalive';
  readonly bytes: Bytes;
  readonly from: string;
  readonly to: string;
}

export interface Sent extends Datagram {
  readonly at: number;
}

export class Network {
  readonly clock = new FakeClock();
  /** What clients sent, in order. */
  readonly sent: Sent[] = [];
  readonly pods: Pod[] = [];
  /** Names of gateways that are not at `SERVICE`. */
  readonly hosts = new Map<string, string>();
  /** Where sockets of clients are from now on. */
  home = HOME;
  /** What clients send and does not arrive. */
  lost: (datagram: Datagram) => boolean = () => false;
  /** Which pod a new flow reaches. */
  balance: (flow: string, alive: readonly Pod[]) => Pod | undefined = (_, alive) => alive[0];
  readonly #flows = new Map<string, Pod>();
  readonly #sockets = new Map<string, SocketRequest>();
  #port = 40_000;

  now = (): Instant => later(0 as Instant, this.clock.now());
  after = (ms: number, run: () => void): (() => void) => this.clock.after(ms, run);

  pod(ordinal: number, eap?: EapSpeaker): Pod {
    const pod = new Pod(this, ordinal, eap);
    this.pods[ordinal] = pod;
    return pod;
  }

  ports(seed = 7): ClientPorts {
    return {
      ...{ crypto: cryptography('auto'), random: seeded(seed), clock: this.now, after: this.after },
      ticks: () => this.clock.elapsed(),
      resolve: async (host) => this.hosts.get(host) ?? SERVICE,
      openSocket: async (request) => this.#open(request),
    };
  }

  async ask(ordinal: number, bytes: Bytes): Promise<Bytes | undefined> {
    const pod = this.pods[ordinal];
    return pod?.alive ? pod.loop.answer(bytes) : undefined;
  }

  toClient(pod: Pod, { kind, bytes, from, to }: Datagram): void {
    const remote = `${pod.service}${from.slice(from.lastIndexOf(':'))}`;
    if (pod.alive) this.after(DELAY_MS, () => this.deliver({ kind, bytes, from: remote, to }));
  }

  /** Something arrives at a client, from whomever. */
  deliver({ kind, bytes, from, to }: Datagram): void {
    const socket = this.#sockets.get(to);
    if (kind === 'esp') socket?.onEsp(bytes, { local: to, remote: from });
    else socket?.onIke(bytes, { local: to, remote: from });
  }

  /** Sockets that are open now. */
  get open(): readonly string[] {
    return [...this.#sockets.keys()];
  }

  #open(request: SocketRequest): ClientSocket {
    const local = `${this.home}:${++this.#port}`;
    this.#sockets.set(local, request);
    const send = (kind: Datagram['kind'], bytes: Bytes, to: string): void => this.#toService({ kind, bytes, from: local, to });
    return {
      local,
      sendIke: (bytes, path) => send('ike', bytes, path.remote),
      sendEsp: (bytes, path) => send('esp', bytes, path.remote),
      sendKeepalive: (path) => send('keepalive', Uint8Array.of(0xff), path.remote),
      close: () => this.#sockets.delete(local),
    };
  }

  #toService(datagram: Datagram): void {
    const { kind, bytes, from, to } = datagram;
    this.sent.push({ ...datagram, at: this.clock.now() });
    if (this.lost(datagram) || kind === 'keepalive') return;
    this.after(DELAY_MS, () => {
      const pod = this.#balanced(`${from} ${to}`, to.slice(0, to.lastIndexOf(':')));
      if (!pod?.alive) return;
      const path = { local: `10.0.0.${10 + pod.ordinal}${to.slice(to.lastIndexOf(':'))}`, remote: from };
      if (kind === 'esp') pod.loop.receiveEsp(bytes, path);
      else pod.loop.handle({ type: 'datagram', path, bytes });
    });
  }

  /** A dead pod keeps its flows, as conntrack does. */
  #balanced(flow: string, address: string): Pod | undefined {
    const pod =
      this.#flows.get(flow) ??
      this.balance(
        flow,
        this.pods.filter(({ alive, service }) => alive && service === address),
      );
    if (pod) this.#flows.set(flow, pod);
    return pod;
  }
}

/** Exchange type of an IKE message (RFC 7296 §3.1). */
export const exchangeOf = ({ bytes }: Datagram): number => bytes[18] ?? 0;

export class Subject {
  readonly client: Client;
  readonly events: ClientEvent[] = [];

  constructor(
    network: Network,
    part: Partial<ClientOptions> = {},
    tickets: TicketStore = new TicketMemory(),
    ports = network.ports(),
  ) {
    const options = clientOptions({
      gateway: { host: 'vpn.example.com', ikePort: 500, natPort: 4500 },
      ...{ identity: ALICE, authentication: { method: 'psk', secret: new Secret(PSK) }, ...part },
    });
    this.client = new Client(options, { ports, tickets, observe: (event) => this.events.push(event) });
  }

  named<N extends ClientEvent['name']>(name: N): Extract<ClientEvent, { name: N }>[] {
    return this.events.filter((event): event is Extract<ClientEvent, { name: N }> => event.name === name);
  }

  get names(): readonly ClientEvent['name'][] {
    return this.events.map(({ name }) => name);
  }

  last<N extends ClientEvent['name']>(name: N): Extract<ClientEvent, { name: N }> {
    const event = this.named(name).at(-1);
    if (!event) throw new Error(`no event ${name} among ${this.names.join(', ')}`);
    return event;
  }
}
