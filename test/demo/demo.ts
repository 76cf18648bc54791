/** The stage of the demo: a local cluster and a client program beside it, and what can be measured of them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LocalCluster } from '../../operator/local/local-cluster.ts';
import { ClientProgram } from './client-program.ts';
import type { Report } from './report.ts';

/** Answers the facts that go into the table; throws when the step failed. */
export type Step = { readonly title: string; readonly run: (demo: Demo) => Promise<Readonly<Record<string, string | number>>> };

const STEP_LIMIT_MS = 30_000;

export class Demo {
  readonly report: Report;
  readonly #manifests: string;
  readonly #directory: string;
  #cluster: LocalCluster | undefined;
  #client: ClientProgram | undefined;

  constructor(manifests: string, directory: string, report: Report) {
    this.#manifests = manifests;
    this.#directory = directory;
    this.report = report;
  }

  /** Runs the steps until one fails; answers whether none did. */
  async run(steps: readonly Step[]): Promise<boolean> {
    for (const { title, run } of steps) {
      this.report.step(title);
      const began = performance.now();
      const ms = () => Math.round(performance.now() - began);
      try {
        const facts = await within(STEP_LIMIT_MS, run(this));
        this.report.done({ step: title, passed: true, ms: ms(), facts });
      } catch (error) {
        this.report.done({
          step: title,
          passed: false,
          ms: ms(),
          facts: { why: error instanceof Error ? error.message : String(error) },
        });
        break;
      }
    }
    return this.report.summary(steps.length);
  }

  get cluster(): LocalCluster {
    return assigned(this.#cluster, 'the cluster has not been started');
  }

  get client(): ClientProgram {
    return assigned(this.#client, 'the client has not been started');
  }

  async startCluster(): Promise<LocalCluster> {
    let flow = 0;
    this.#cluster = await LocalCluster.start(this.#manifests, {
      state: join(this.#directory, 'state'),
      endpointDelayMs: 3_000,
      // Round robin, as kube-proxy does in IPVS mode: each new flow goes to the next pod, so 500 and 4500 of one client part.
      spread: () => (flow++ % 2) / 2,
      heard: ({ event, ...fields }) => this.report.tell(event, fields),
    });
    return this.#cluster;
  }

  startClient(flags: readonly string[]): ClientProgram {
    const pskFile = join(this.#directory, 'alice.psk');
    mkdirSync(this.#directory, { recursive: true });
    writeFileSync(pskFile, 'correct-horse-battery-staple\n', { mode: 0o600 });
    const { address, ikePort, natPort } = this.cluster.service('office');
    this.#client = new ClientProgram(
      [
        ...['connect', '--gateway', `${address}:${ikePort}`, '--nat-port', String(natPort)],
        ...['--id', 'alice@example.com', '--remote-id', 'vpn.example.com', '--psk-file', pskFile],
        ...['--ticket-file', join(this.#directory, 'alice.ticket'), '--json', ...flags],
      ],
      (event) => this.report.tell(`client ${event.name}`, { ...event }),
    );
    return this.#client;
  }

  async stop(): Promise<void> {
    await this.#client?.stop();
    await this.#cluster?.stop();
  }

  /** The pod that holds the client's session. */
  async home(): Promise<string> {
    return this.cluster.waitFor('a pod with the session', async () => {
      for (const { name } of this.cluster.pods()) if (((await this.cluster.status(name))?.sessions ?? 0) > 0) return name;
      return undefined;
    });
  }

  /** Sum of a metric over the living pods; `labels` as Prometheus prints them. */
  async metric(name: string, labels = ''): Promise<number> {
    const texts = await Promise.all(this.cluster.pods().map((pod) => this.cluster.metrics(pod.name)));
    const lines = texts.flatMap((text) => (text ?? '').split('\n'));
    const wanted = lines
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .filter((line) => line.includes(labels));
    return wanted.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }

  async readyPods(count: number): Promise<void> {
    await this.cluster.waitFor(`${count} ready pods`, () => {
      const pods = this.cluster.pods();
      return pods.length === count && pods.every(({ ready, terminating }) => ready && !terminating);
    });
  }
}

function assigned<T>(value: T | undefined, otherwise: string): T {
  if (value === undefined) throw new Error(otherwise);
  return value;
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`not done after ${ms / 1_000} s`)), ms);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
