/** A UDP service in front of pods that behaves as kube-proxy and conntrack do: who it sends a new flow to, and what happens to the flows that there are. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import type { Clock } from '../clock.ts';
import type { Endpoint } from './endpoint.ts';

export interface ServicePort {
  readonly port: number;
  readonly targetPort: number;
}

export interface UdpServiceOptions {
  readonly address: string;
  readonly ports: readonly ServicePort[];
  /** ClientIP: per port, as kube-proxy keeps it. */
  readonly affinity: 'None' | 'ClientIP';
  readonly clock: Clock;
  /** From 0 to 1: which endpoint a new flow gets. */
  readonly random: () => number;
  readonly timing?: FlowTiming;
}

/** nf_conntrack_udp_timeout, nf_conntrack_udp_timeout_stream and ClientIP's timeoutSeconds of Linux and Kubernetes. */
export interface FlowTiming {
  readonly unansweredMs: number;
  readonly idleMs: number;
  readonly affinityMs: number;
}

export const FLOW_TIMING: FlowTiming = { unansweredMs: 30_000, idleMs: 120_000, affinityMs: 10_800_000 };

export interface Flow {
  /** `127.0.0.1:40000`. */
  readonly client: string;
  readonly port: number;
  /** Address of the pod. */
  readonly endpoint: string;
  readonly toPod: number;
  readonly toClient: number;
}

interface OpenFlow {
  readonly client: RemoteInfo;
  readonly port: ServicePort;
  readonly front: Socket;
  readonly endpoint: Endpoint;
  /** One per flow, so that the pod sees another source port for each client. */
  readonly upstream: Socket;
  lastAt: number;
  toPod: number;
  toClient: number;
}

/** Each holds a socket; beyond, the one that was idle longest goes. */
const MAX_FLOWS = 4096;
const MAX_CLIENTS = 65_536;
const BUFFER_BYTES = 1 << 20;

export class UdpService {
  readonly #options: UdpServiceOptions;
  readonly #timing: FlowTiming;
  readonly #fronts: Socket[] = [];
  /** By client and port, the longest idle first. */
  readonly #flows: Map<string, OpenFlow> = new Map();
  readonly #clients: Map<string, { readonly uid: string; readonly at: number }> = new Map();
  #endpoints: readonly Endpoint[] = [];
  #cancelSweep: () => void = () => {};
  #stopped = false;

  constructor(options: UdpServiceOptions) {
    this.#options = options;
    this.#timing = options.timing ?? FLOW_TIMING;
  }

  /** Rejects when a port cannot be bound. */
  async start(): Promise<void> {
    for (const port of this.#options.ports) {
      const front = await this.#listen(port);
      if (this.#stopped) front.close();
      else this.#fronts.push(front);
    }
    if (!this.#stopped) this.#sweepLater();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelSweep();
    for (const key of [...this.#flows.keys()]) this.#close(key);
    for (const front of this.#fronts.splice(0)) front.close();
  }

  /** Entries of endpoints that are gone, or serve no more, are flushed. */
  setEndpoints(endpoints: readonly Endpoint[]): void {
    this.#endpoints = endpoints;
    const serving = new Set(endpoints.filter((endpoint) => endpoint.serving).map(({ uid }) => uid));
    for (const [key, { endpoint }] of [...this.#flows]) if (!serving.has(endpoint.uid)) this.#close(key);
    for (const [client, { uid }] of [...this.#clients]) if (!serving.has(uid)) this.#clients.delete(client);
  }

  flows(): readonly Flow[] {
    return [...this.#flows.values()].map(({ client, port, endpoint, toPod, toClient }) => {
      return { client: `${client.address}:${client.port}`, port: port.port, endpoint: endpoint.address, toPod, toClient };
    });
  }

  #listen(port: ServicePort): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const front = createSocket('udp4');
      front.once('error', reject);
      front.on('message', (bytes, client) => this.#receive(front, port, bytes, client));
      front.bind({ address: this.#options.address, port: port.port, exclusive: true }, () => {
        front.removeListener('error', reject);
        front.on('error', () => {});
        front.setRecvBufferSize(BUFFER_BYTES);
        resolve(front);
      });
    });
  }

  #receive(front: Socket, port: ServicePort, bytes: Buffer, client: RemoteInfo): void {
    // No answer could reach it, and dgram throws for the attempt. RFC 768 lets a sender give no port; Linux delivers it.
    if (client.port === 0) return;
    const key = `${client.address}:${client.port}>${port.port}`;
    const flow = this.#flows.get(key) ?? this.#open(key, front, port, client);
    if (!flow) return; // no endpoint: kube-proxy rejects or drops it
    this.#touch(key, flow);
    flow.toPod += 1;
    flow.upstream.send(bytes, port.targetPort, flow.endpoint.address);
  }

  #open(key: string, front: Socket, port: ServicePort, client: RemoteInfo): OpenFlow | undefined {
    const endpoint = this.#choose(client, port);
    if (!endpoint) return undefined;
    const upstream = createSocket('udp4');
    const flow: OpenFlow = { client, port, front, endpoint, upstream, lastAt: 0, toPod: 0, toClient: 0 };
    // A dead pod refuses datagrams; a real one that died with its node would say nothing.
    upstream.on('error', () => {});
    upstream.on('message', (bytes, { address, port: from }) => {
      if (address !== endpoint.address || from !== port.targetPort) return;
      this.#touch(key, flow);
      flow.toClient += 1;
      front.send(bytes, client.port, client.address);
    });
    upstream.bind({ address: this.#options.address, port: 0 });
    this.#flows.set(key, flow);
    if (this.#flows.size > MAX_FLOWS) this.#closeOldest();
    return flow;
  }

  #choose(client: RemoteInfo, port: ServicePort): Endpoint | undefined {
    const candidates = acceptNew(this.#endpoints);
    if (this.#options.affinity === 'None') return this.#pick(candidates);
    const key = `${client.address}>${port.port}`;
    const now = this.#options.clock.elapsed();
    const known = this.#clients.get(key);
    const kept = known && now - known.at < this.#timing.affinityMs ? candidates.find(({ uid }) => uid === known.uid) : undefined;
    const endpoint = kept ?? this.#pick(candidates);
    if (endpoint) this.#remember(key, endpoint.uid, now);
    return endpoint;
  }

  #pick(candidates: readonly Endpoint[]): Endpoint | undefined {
    return candidates[Math.floor(this.#options.random() * candidates.length)];
  }

  #remember(key: string, uid: string, at: number): void {
    this.#clients.delete(key);
    this.#clients.set(key, { uid, at });
    const [oldest] = this.#clients.keys();
    if (this.#clients.size > MAX_CLIENTS && oldest !== undefined) this.#clients.delete(oldest);
  }

  #touch(key: string, flow: OpenFlow): void {
    flow.lastAt = this.#options.clock.elapsed();
    this.#flows.delete(key);
    this.#flows.set(key, flow);
  }

  #sweepLater(): void {
    const every = Math.min(this.#timing.unansweredMs, this.#timing.idleMs) / 4;
    this.#cancelSweep = this.#options.clock.after(every, () => {
      this.#sweep();
      this.#sweepLater();
    });
  }

  #sweep(): void {
    const now = this.#options.clock.elapsed();
    for (const [key, { lastAt, toClient }] of [...this.#flows]) {
      if (now - lastAt > (toClient > 0 ? this.#timing.idleMs : this.#timing.unansweredMs)) this.#close(key);
    }
  }

  #closeOldest(): void {
    const [oldest] = this.#flows.keys();
    if (oldest !== undefined) this.#close(oldest);
  }

  #close(key: string): void {
    this.#flows.get(key)?.upstream.close();
    this.#flows.delete(key);
  }
}

/** Ready ones; if there are none, those that terminate but still serve. */
function acceptNew(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const serving = endpoints.filter((endpoint) => endpoint.serving);
  const ready = serving.filter((endpoint) => !endpoint.terminating);
  return ready.length > 0 ? ready : serving;
}
