/** A whole cluster in one process: objects on disk, the operator's controller, pods as child processes, a UDP service in front. */
import { join } from 'node:path';
import type { Problem } from '../../sidecar/contract/problem.ts';
import { type GatewayStatus, parseStatus } from '../../sidecar/contract/status.ts';
import { apiVersionOf, isKind } from '../kube/kind.ts';
import type { Manifest, Ref } from '../plan/plan.ts';
import { ask } from '../pod-question.ts';
import { awaitChange } from './awaited-change.ts';
import type { LocalEvent } from './event-log.ts';
import { mergePatch } from './field-ownership.ts';
import { type Ground, takeGround } from './ground.ts';
import { fromProblems, type Happening } from './happening.ts';
import type { LocalOptions } from './local-options.ts';
import { type LocalParts, localParts } from './local-parts.ts';
import { type LocalPodView, podView, type ServiceView } from './local-view.ts';
import { parseManifest } from './manifest-file.ts';
import type { LocalNetwork } from './network.ts';
import { refTo } from './object-store.ts';
import type { Flow } from './udp-service.ts';

/** Thrown by `apply` and `edit`. */
export class ManifestRefused extends Error {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(fromProblems(problems).join('\n'));
    this.name = 'ManifestRefused';
    this.problems = problems;
  }
}

/** SIGINT waits no longer for a pod, whatever its own grace period. */
const STOP_MS = 5_000;
/** Field manager of objects that are not in the directory. */
const DRIVER = 'driver';

export class LocalCluster {
  readonly network: LocalNetwork;
  readonly stateDirectory: string;
  readonly #parts: LocalParts;
  readonly #listeners: Set<(happening: Happening) => void> = new Set();
  readonly #stop: AbortController = new AbortController();
  readonly #release: () => void;
  #work: Promise<void> = Promise.resolve();
  #stopped: Promise<void> | undefined;

  /** Runs what `directory` says. Rejects when the directory, the state or the network cannot be had. */
  static async start(directory: string, options: LocalOptions = {}): Promise<LocalCluster> {
    const cluster = new LocalCluster(directory, await takeGround(directory, options), options);
    await cluster.#start();
    return cluster;
  }

  private constructor(directory: string, ground: Ground, options: LocalOptions) {
    const { state, network, release } = ground;
    this.stateDirectory = state;
    this.network = network;
    this.#release = release;
    if (options.heard) this.#listeners.add(options.heard);
    this.#parts = localParts(directory, ground, options, (happening) => this.#tell(happening));
  }

  /** Of one namespace or all; in the order of their ordinals. */
  pods(namespace?: string): readonly LocalPodView[] {
    const pods = this.#parts.store.list('Pod', namespace ? { namespace } : {});
    const views = pods.map((pod) => podView(pod, this.#parts.kubelet.pod(pod.metadata.uid ?? '')));
    return views.sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
  }

  /** What the pod says of itself; undefined when it does not answer. */
  async status(pod: string): Promise<GatewayStatus | undefined> {
    const address = this.pods().find(({ name }) => name === pod)?.address;
    const answer = address ? await ask(address, this.network.ports.http, '/status', 1_000) : undefined;
    const parsed = answer?.status === 200 ? parseStatus(pod, answer.text) : undefined;
    return parsed?.ok ? parsed.value : undefined;
  }

  /** What the pod's /metrics says, in Prometheus' text format. */
  async metrics(pod: string): Promise<string | undefined> {
    const address = this.pods().find(({ name }) => name === pod)?.address;
    return address ? (await ask(address, this.network.ports.http, '/metrics', 1_000))?.text : undefined;
  }

  /** The file with what the pod has printed. */
  logFile(pod: string, namespace = 'default'): string {
    return join(this.stateDirectory, 'logs', `${namespace}_${pod}.log`);
  }

  /** Where clients of a gateway connect. */
  service(gateway: string, namespace = 'default'): ServiceView {
    const { ike, nat } = this.network.ports;
    return { address: this.network.serviceAddress(namespace, gateway), ikePort: ike, natPort: nat };
  }

  flows(): readonly Flow[] {
    return this.#parts.proxy.flows();
  }

  object(kind: string, name: string, namespace = 'default'): Manifest | undefined {
    return this.#parts.store.get(ref(kind, namespace, name));
  }

  /** A whole manifest, as kubectl apply. Throws ManifestRefused. */
  apply(manifest: object): Manifest {
    return this.#parts.store.apply(this.#validated(manifest), DRIVER);
  }

  /** A part of one, as kubectl patch --type merge: `edit('VpnGateway', 'office', { spec: { replicas: 3 } })`. Throws ManifestRefused. */
  edit(kind: string, name: string, patch: Readonly<Record<string, unknown>>, namespace = 'default'): Manifest {
    const object = this.object(kind, name, namespace);
    if (!object) throw new Error(`there is no ${kind} ${namespace}/${name}`);
    this.#validated(mergePatch(object, patch));
    return this.#parts.store.merge(refTo(object), patch);
  }

  remove(kind: string, name: string, namespace = 'default'): void {
    this.#parts.store.remove(ref(kind, namespace, name));
  }

  /** A crash of the container. It starts again in place, not before `holdMs` (as long as a node would be away). Answers whether there was a process. */
  kill(pod: string, signal: NodeJS.Signals = 'SIGKILL', { holdMs = 0 }: { readonly holdMs?: number } = {}): boolean {
    const known = this.pods().find(({ name }) => name === pod);
    return known ? (this.#parts.kubelet.pod(known.uid)?.kill(signal, holdMs) ?? false) : false;
  }

  /** kubectl delete pod: SIGTERM, the grace period, and a successor with another uid. */
  deletePod(pod: string): void {
    const known = this.#parts.store.list('Pod').find(({ metadata }) => metadata.name === pod);
    if (known) this.#parts.store.remove(refTo(known));
  }

  /** Oldest first. */
  events(): readonly LocalEvent[] {
    return this.#parts.events.all();
  }

  listen(listener: (happening: Happening) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The first answer of `question` that is neither undefined nor false; asked now, at every change and every 100 ms. */
  waitFor<T>(what: string, question: () => T | Promise<T>, timeoutMs = 30_000): Promise<Exclude<T, undefined | false>> {
    return awaitChange({ what, question, timeoutMs }, this.#parts.store, this.#parts.clock);
  }

  /** Ends the pods in good order, then everything else. Objects stay on disk. */
  stop(): Promise<void> {
    this.#stopped ??= this.#end();
    return this.#stopped;
  }

  async #start(): Promise<void> {
    this.#tell({ event: 'started', network: `${this.network.prefix}.0.0/16`, state: this.stateDirectory });
    const { manifests, kubelet, sets, proxy, controller } = this.#parts;
    try {
      manifests.start();
      kubelet.start();
      sets.start();
      proxy.start();
    } catch (error) {
      await this.stop();
      throw error;
    }
    this.#work = controller.run(this.#stop.signal);
  }

  async #end(): Promise<void> {
    const { manifests, kubelet, sets, proxy } = this.#parts;
    this.#tell({ event: 'stopping' });
    manifests.stop();
    this.#stop.abort();
    sets.stop();
    await this.#work;
    await kubelet.stop(STOP_MS);
    proxy.stop();
    this.#release();
    this.#tell({ event: 'stopped' });
  }

  #validated(manifest: unknown): Manifest {
    const parsed = parseManifest('manifest', manifest, (old) => this.#parts.store.get(old));
    if (!parsed.ok) throw new ManifestRefused(parsed.problems);
    return parsed.value;
  }

  #tell(happening: Happening): void {
    for (const listener of this.#listeners) listener(happening);
  }
}

function ref(kind: string, namespace: string, name: string): Ref {
  if (!isKind(kind)) throw new Error(`there is no kind ${kind} here`);
  return { apiVersion: apiVersionOf(kind), kind, namespace, name };
}
