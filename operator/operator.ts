/** The operator on a cluster, put together: caches, lease, controller, probes and metrics. */
import { randomInt } from 'node:crypto';
import { type HttpServer, plainText, startHttpServer } from '../sidecar/process/http-server.ts';
import type { Log } from '../sidecar/process/log.ts';
import { systemClock } from './clock.ts';
import { Controller } from './controller.ts';
import { freshKey } from './fresh-key.ts';
import { loadAccess } from './kube/access.ts';
import { ApiServerCluster } from './kube/api-server.ts';
import { Lease } from './kube/lease.ts';
import { type Transport, transport } from './kube/transport.ts';
import { type OperatorMetrics, operatorMetrics } from './metrics.ts';
import type { OperatorOptions } from './operator-options.ts';
import type { Placement } from './plan/plan.ts';
import { readReport } from './report.ts';

/** In the gateway pods; the Service maps 500 and 4500 to them. */
const POD_PORTS = { ikePort: 500, natPort: 4500, peerPort: 9501, httpPort: 9500 } as const;
const WORKERS = 4;
const RESYNC_MS = 600_000;

export class Operator {
  readonly #options: OperatorOptions;
  readonly #log: Log;
  readonly #metrics: OperatorMetrics = operatorMetrics();
  readonly #stop: AbortController = new AbortController();
  #work: Promise<unknown> = Promise.resolve();
  #http: HttpServer | undefined;
  #synced = false;

  constructor(options: OperatorOptions, log: Log) {
    this.#options = options;
    this.#log = log;
  }

  /** Rejects when there is no cluster to talk to or no port to listen on. */
  async start(): Promise<void> {
    const server = transport(loadAccess(this.#options.kubeconfig));
    this.#http = await this.#listen();
    this.#work = this.#run(server);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#work;
    await this.#http?.close();
  }

  async #run(server: Transport): Promise<void> {
    const lease = this.#options.leaderElect ? this.#lease(server) : undefined;
    const cluster = new ApiServerCluster({
      transport: server,
      clock: systemClock,
      random,
      namespace: this.#options.namespace,
      mayWrite: () => lease?.assertLeading(),
      failed: (kind, error) => {
        this.#metrics.watchFailed(kind);
        this.#log.warn({ kind, status: error.status, reason: error.reason }, `watch: ${error.message}`);
      },
    });
    await cluster.start(this.#stop.signal);
    this.#synced = true;
    this.#log.info({ namespace: this.#options.namespace ?? 'all' }, 'caches are full');
    const lead = (leading: AbortSignal) => this.#lead(cluster, leading);
    await (lease ? lease.run(lead, this.#stop.signal) : lead(this.#stop.signal));
  }

  async #lead(cluster: ApiServerCluster, leading: AbortSignal): Promise<void> {
    this.#log.info({ holder: this.#options.holder }, 'leading');
    this.#metrics.leading(true);
    const controller = new Controller({
      cluster,
      clock: systemClock,
      random,
      freshKey,
      placement: () => this.#placement(),
      report: readReport,
      log: this.#log,
      workers: WORKERS,
      resyncMs: RESYNC_MS,
      reconciled: this.#metrics.reconciled,
    });
    this.#metrics.follow(controller);
    await controller.run(leading);
    this.#metrics.leading(false);
    this.#log.info({}, 'no longer leading');
  }

  #lease(server: Transport): Lease {
    return new Lease({
      transport: server,
      clock: systemClock,
      random,
      namespace: this.#options.leaseNamespace,
      name: 'rekindle-operator',
      holder: this.#options.holder,
      failed: (error) => this.#log.warn({ err: error }, 'lease'),
    });
  }

  #placement(): Placement {
    const { image, operatorNamespace } = this.#options;
    const peerHost = '{name}-{ordinal}.{name}-peers.{namespace}.svc';
    return { image, ...POD_PORTS, peerHost, operatorNamespace, hasAgents: true };
  }

  #listen(): Promise<HttpServer> {
    const metrics = async () => ({
      status: 200,
      type: this.#metrics.registry.contentType,
      body: await this.#metrics.registry.metrics(),
    });
    return startHttpServer({
      ...this.#options.metrics,
      log: this.#log,
      routes: {
        '/healthz': () => plainText(200, 'ok'),
        '/readyz': () => (this.#synced ? plainText(200, 'ready') : plainText(503, 'caches are not full yet')),
        '/metrics': metrics,
      },
    });
  }
}

const random = (): number => randomInt(2 ** 32) / 2 ** 32;
