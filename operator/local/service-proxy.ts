/** One UdpService per Service object, with the endpoints that its pods make: the cluster's kube-proxy, and the part of the API server that gives addresses. */
import type { Clock } from '../clock.ts';
import type { Change } from '../kube/cluster.ts';
import { GATEWAY_LABEL } from '../plan/names.ts';
import type { Manifest } from '../plan/plan.ts';
import { endpointsOf, LateEndpoints } from './endpoint.ts';
import { isMapping, type Json } from './field-ownership.ts';
import type { LocalNetwork } from './network.ts';
import { type ObjectStore, refTo } from './object-store.ts';
import { mappings, specOf } from './pod-object.ts';
import { type Flow, type FlowTiming, type ServicePort, UdpService } from './udp-service.ts';

export interface ServiceProxyOptions {
  readonly store: ObjectStore;
  readonly network: LocalNetwork;
  readonly clock: Clock;
  readonly random: () => number;
  /** Overrides what the Services say. */
  readonly affinity: 'None' | 'ClientIP' | undefined;
  readonly endpointDelayMs: number;
  readonly flowTiming?: FlowTiming;
  readonly failed: (service: Manifest, error: unknown) => void;
  readonly serving: (service: Manifest, address: string, ports: readonly number[]) => void;
}

interface Running {
  /** What it was made from; another makes another. */
  readonly shape: string;
  readonly service: UdpService;
  readonly endpoints: LateEndpoints;
}

export class ServiceProxy {
  readonly #options: ServiceProxyOptions;
  readonly #running: Map<string, Running> = new Map();
  #stopWatching: () => void = () => {};

  constructor(options: ServiceProxyOptions) {
    this.#options = options;
  }

  start(): void {
    this.#stopWatching = this.#options.store.watch((change) => this.#changed(change));
    for (const service of this.#options.store.list('Service')) this.#sync(service);
  }

  stop(): void {
    this.#stopWatching();
    for (const uid of [...this.#running.keys()]) this.#end(uid);
  }

  flows(): readonly Flow[] {
    return [...this.#running.values()].flatMap(({ service }) => service.flows());
  }

  #changed({ kind, before, after }: Change): void {
    if (kind === 'Service' && after) this.#sync(after);
    else if (kind === 'Service' && before?.metadata.uid) this.#end(before.metadata.uid);
    else if (kind === 'Pod') for (const service of this.#options.store.list('Service')) this.#tellEndpoints(service);
  }

  #sync(service: Manifest): void {
    if (!isForClients(service)) return;
    const address = this.#addressFor(service);
    // The network may be another one than in the run before.
    if (specOf(service)['clusterIP'] === address) this.#serve(service, address);
    else this.#giveAddress(service, address);
  }

  #serve(service: Manifest, address: string): void {
    const shape = JSON.stringify([address, this.#affinity(service), this.#ports(service)]);
    const { uid = '' } = service.metadata;
    if (this.#running.get(uid)?.shape === shape) return;
    this.#end(uid);
    this.#begin(service, address, shape);
  }

  #begin(service: Manifest, address: string, shape: string): void {
    const { clock, random, flowTiming, endpointDelayMs } = this.#options;
    const options = { address, ports: this.#ports(service), affinity: this.#affinity(service), clock, random };
    const udp = new UdpService(flowTiming ? { ...options, timing: flowTiming } : options);
    const endpoints = new LateEndpoints(clock, endpointDelayMs, (known) => udp.setEndpoints(known));
    this.#running.set(service.metadata.uid ?? '', { shape, service: udp, endpoints });
    this.#tellEndpoints(service);
    const ports = options.ports.map(({ port }) => port);
    udp.start().then(
      () => this.#options.serving(service, address, ports),
      (error: unknown) => this.#options.failed(service, error),
    );
  }

  #end(uid: string): void {
    this.#running.get(uid)?.endpoints.stop();
    this.#running.get(uid)?.service.stop();
    this.#running.delete(uid);
  }

  #tellEndpoints(service: Manifest): void {
    const running = this.#running.get(service.metadata.uid ?? '');
    running?.endpoints.update(endpointsOf(service, this.#options.store.list('Pod')));
  }

  #addressFor({ metadata: { namespace, labels, name } }: Manifest): string {
    return this.#options.network.serviceAddress(namespace, labels?.[GATEWAY_LABEL] ?? name);
  }

  #giveAddress(service: Manifest, address: string): void {
    const ingress =
      specOf(service)['type'] === 'LoadBalancer' ? { status: { loadBalancer: { ingress: [{ ip: address }] } } } : {};
    this.#options.store.merge(refTo(service), { spec: { clusterIP: address }, ...ingress });
  }

  #affinity(service: Manifest): 'None' | 'ClientIP' {
    return this.#options.affinity ?? (specOf(service)['sessionAffinity'] === 'ClientIP' ? 'ClientIP' : 'None');
  }

  /** Without root 500 cannot be bound, so the service listens where its pods do. */
  #ports(service: Manifest): readonly ServicePort[] {
    return mappings(specOf(service)['ports']).map(({ name, port, targetPort }) => {
      const target = typeof targetPort === 'number' ? targetPort : this.#named(`${targetPort ?? name}`, port);
      return { port: target, targetPort: target };
    });
  }

  #named(name: string, port: Json): number {
    const { ike, nat } = this.#options.network.ports;
    return { ike, 'ike-nat': nat }[name] ?? Number(port);
  }
}

const isForClients = ({ spec }: Manifest): boolean => isMapping(spec) && spec['clusterIP'] !== 'None';
