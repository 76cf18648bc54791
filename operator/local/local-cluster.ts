/** A whole cluster in one process: objects on disk, the operator's controller, pods as child processes, a UDP service in front. */
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import type { Problem } from '../../sidecar/contract/problem.ts';
import { type GatewayStatus, parseStatus } from '../../sidecar/contract/status.ts';
import { createLog } from '../../sidecar/process/log.ts';
import { type Clock, systemClock } from '../clock.ts';
import { Controller } from '../controller.ts';
import { freshKey } from '../fresh-key.ts';
import { apiVersionOf, isKind } from '../kube/kind.ts';
import { credentials } from '../plan/manifests/credentials.ts';
import type { Manifest, Ref } from '../plan/plan.ts';
import { ask } from '../pod-question.ts';
import { readReport } from '../report.ts';
import { isGateway } from '../resource.ts';
import { Disk } from './disk.ts';
import { EventLog, type LocalEvent } from './event-log.ts';
import { mergePatch } from './field-ownership.ts';
import { type Ground, takeGround } from './ground.ts';
import { fromChange, fromEvent, fromProblems, type Happening, nameOf } from './happening.ts';
import { Kubelet } from './kubelet.ts';
import type { LocalOptions } from './local-options.ts';
import { POD_TIMING } from './local-pod.ts';
import { type LocalPodView, podView, type ServiceView } from './local-view.ts';
import { ManifestDirectory } from './manifest-directory.ts';
import { parseManifest } from './manifest-file.ts';
import type { LocalNetwork } from './network.ts';
import { ObjectStore, refTo } from './object-store.ts';
import { PodLog } from './pod-log.ts';
import { ServiceProxy } from './service-proxy.ts';
import { StatefulSets } from './stateful-set.ts';
import { StoreCluster } from './store-cluster.ts';
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

const RESYNC_MS = 30_000;
/** A pod has read new files by then. */
const RELOAD_MS = 1_000;
/** SIGINT waits no longer for a pod, whatever its own grace period. */
const STOP_MS = 5_000;
const SIDECAR = join(import.meta.dirname, '../../sidecar/main.ts');
/** Field manager of objects that are not in the directory. */
const DRIVER = 'driver';

export class LocalCluster {
  readonly network: LocalNetwork;
  readonly stateDirectory: string;
  readonly #store: ObjectStore;
  readonly #events: EventLog;
  readonly #kubelet: Kubelet;
  readonly #sets: StatefulSets;
  readonly #proxy: ServiceProxy;
  readonly #manifests: ManifestDirectory;
  readonly #controller: Controller;
  readonly #clock: Clock = systemClock;
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

  private constructor(directory: string, { state, network, release }: Ground, options: LocalOptions) {
    this.stateDirectory = state;
    this.network = network;
    this.#release = release;
    if (options.heard) this.#listeners.add(options.heard);
    const clock = this.#clock;
    const store = new ObjectStore(clock, new Disk(join(state, 'objects')));
    this.#store = store;
    this.#events = new EventLog((event) => this.#tell(fromEvent(event)));
    store.watch((change) => {
      for (const happening of fromChange(change)) this.#tell(happening);
      if ((change.kind === 'Secret' || change.kind === 'ConfigMap') && change.after)
        this.#expectNews(change.after, { ...POD_TIMING, ...options.podTiming }.projectionMs);
    });
    this.#sets = new StatefulSets(store);
    this.#kubelet = new Kubelet({
      store,
      events: this.#events,
      network,
      clock,
      timing: { ...POD_TIMING, ...options.podTiming },
      program: options.program ?? SIDECAR,
      podsDirectory: join(state, 'pods'),
      logsDirectory: join(state, 'logs'),
    });
    this.#proxy = new ServiceProxy({
      store,
      network,
      clock,
      random: options.spread ?? random,
      affinity: options.affinity,
      endpointDelayMs: options.endpointDelayMs ?? 3_000,
      ...(options.flowTiming ? { flowTiming: options.flowTiming } : {}),
      failed: (service, error) => this.#tell({ event: 'failure', message: `${nameOf(service)}: ${messageOf(error)}` }),
      serving: (service, address, served) => this.#tell({ event: 'service', object: nameOf(service), address, ports: served }),
    });
    this.#manifests = new ManifestDirectory(directory, store, clock, {
      applied: (manifest, change) => this.#tell({ event: 'manifest', object: nameOf(manifest), change }),
      removed: (manifest) => this.#tell({ event: 'manifest', object: nameOf(manifest), change: 'removed' }),
      refused: (file, problems) => this.#tell({ event: 'refused', file, problems: fromProblems(problems) }),
      doubted: (problems) => this.#tell({ event: 'warning', problems: fromProblems(problems) }),
    });
    const log = new PodLog(join(state, 'logs', 'operator.log'));
    this.#controller = new Controller({
      cluster: new StoreCluster(store, this.#events, clock),
      clock,
      random,
      freshKey,
      placement: ({ namespace, name }) => network.placement(namespace, name),
      report: readReport,
      log: createLog({
        level: options.logLevel ?? 'info',
        base: {},
        to: { write: (line) => log.write(Buffer.from(line)) },
      }),
      failed: ({ kind, namespace, name }, error) => {
        this.#tell({ event: 'failure', message: `${kind} ${namespace}/${name}: ${messageOf(error)}; see operator.log` });
      },
      workers: 1,
      resyncMs: RESYNC_MS,
    });
  }

  /** Of one namespace or all; in the order of their ordinals. */
  pods(namespace?: string): readonly LocalPodView[] {
    const pods = this.#store.list('Pod', namespace ? { namespace } : {});
    const views = pods.map((pod) => podView(pod, this.#kubelet.pod(pod.metadata.uid ?? '')));
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
    return this.#proxy.flows();
  }

  object(kind: string, name: string, namespace = 'default'): Manifest | undefined {
    return this.#store.get(ref(kind, namespace, name));
  }

  /** A whole manifest, as kubectl apply. Throws ManifestRefused. */
  apply(manifest: object): Manifest {
    return this.#store.apply(this.#validated(manifest), DRIVER);
  }

  /** A part of one, as kubectl patch --type merge: `edit('VpnGateway', 'office', { spec: { replicas: 3 } })`. Throws ManifestRefused. */
  edit(kind: string, name: string, patch: Readonly<Record<string, unknown>>, namespace = 'default'): Manifest {
    const object = this.object(kind, name, namespace);
    if (!object) throw new Error(`there is no ${kind} ${namespace}/${name}`);
    this.#validated(mergePatch(object, patch));
    return this.#store.merge(refTo(object), patch);
  }

  remove(kind: string, name: string, namespace = 'default'): void {
    this.#store.remove(ref(kind, namespace, name));
  }

  /** A crash of the container. It starts again in place, not before `holdMs` (as long as a node would be away). Answers whether there was a process. */
  kill(pod: string, signal: NodeJS.Signals = 'SIGKILL', { holdMs = 0 }: { readonly holdMs?: number } = {}): boolean {
    const known = this.pods().find(({ name }) => name === pod);
    return known ? (this.#kubelet.pod(known.uid)?.kill(signal, holdMs) ?? false) : false;
  }

  /** kubectl delete pod: SIGTERM, the grace period, and a successor with another uid. */
  deletePod(pod: string): void {
    const known = this.#store.list('Pod').find(({ metadata }) => metadata.name === pod);
    if (known) this.#store.remove(refTo(known));
  }

  /** Oldest first. */
  events(): readonly LocalEvent[] {
    return this.#events.all();
  }

  listen(listener: (happening: Happening) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The first answer of `question` that is neither undefined nor false; asked now, at every change and every 100 ms. */
  async waitFor<T>(what: string, question: () => T | Promise<T>, timeoutMs = 30_000): Promise<Exclude<T, undefined | false>> {
    const until = this.#clock.elapsed() + timeoutMs;
    for (;;) {
      const answer = await question();
      if (isAnswer(answer)) return answer;
      if (this.#clock.elapsed() > until) throw new Error(`waited ${timeoutMs / 1000} s in vain for: ${what}`);
      await this.#changeOr(100);
    }
  }

  /** Ends the pods in good order, then everything else. Objects stay on disk. */
  stop(): Promise<void> {
    this.#stopped ??= this.#end();
    return this.#stopped;
  }

  async #start(): Promise<void> {
    this.#tell({ event: 'started', network: `${this.network.prefix}.0.0/16`, state: this.stateDirectory });
    try {
      this.#manifests.start();
      this.#kubelet.start();
      this.#sets.start();
      this.#proxy.start();
    } catch (error) {
      await this.stop();
      throw error;
    }
    this.#work = this.#controller.run(this.#stop.signal);
  }

  async #end(): Promise<void> {
    this.#tell({ event: 'stopping' });
    this.#manifests.stop();
    this.#stop.abort();
    this.#sets.stop();
    await this.#work;
    await this.#kubelet.stop(STOP_MS);
    this.#proxy.stop();
    this.#release();
    this.#tell({ event: 'stopped' });
  }

  /** Pods say what they think of a credential only when asked, and on a cluster that is once a minute. */
  #expectNews({ kind, metadata: { namespace, name } }: Manifest, projectionMs: number): void {
    for (const gateway of this.#store.list('VpnGateway', { namespace }).filter(isGateway)) {
      if (!credentials(gateway).some(({ objects }) => objects.includes(`${kind} ${name}`))) continue;
      this.#controller.lookAgain({ kind: 'VpnGateway', namespace, name: gateway.metadata.name }, projectionMs + RELOAD_MS);
    }
  }

  #validated(manifest: unknown): Manifest {
    const parsed = parseManifest('manifest', manifest, (old) => this.#store.get(old));
    if (!parsed.ok) throw new ManifestRefused(parsed.problems);
    return parsed.value;
  }

  #changeOr(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        unlisten();
        resolve();
      };
      const cancel = this.#clock.after(ms, end);
      const unlisten = this.#store.watch(() => setImmediate(end));
    });
  }

  #tell(happening: Happening): void {
    for (const listener of this.#listeners) listener(happening);
  }
}

function ref(kind: string, namespace: string, name: string): Ref {
  if (!isKind(kind)) throw new Error(`there is no kind ${kind} here`);
  return { apiVersion: apiVersionOf(kind), kind, namespace, name };
}

const isAnswer = <T>(answer: T): answer is Exclude<T, undefined | false> => answer !== undefined && answer !== false;

const random = (): number => randomInt(2 ** 32) / 2 ** 32;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
