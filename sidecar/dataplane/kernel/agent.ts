/** The agent: waits for its configuration, serves under it, looks after the host, and ends so that a restart cuts no traffic. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Problem } from '../../contract/agent-protocol.ts';
import type { DataplaneConfig } from '../../contract/dataplane-config.ts';
import type { Readiness } from '../../process/readiness.ts';
import { AgentConfig } from './agent-config.ts';
import type { AgentOptions } from './agent-options.ts';
import { AgentService, type ServiceOptions } from './agent-service.ts';
import { type AgentSocket, listenAt } from './agent-socket.ts';

export interface AgentParts extends Omit<ServiceOptions, 'allowUids' | 'orphanGraceMs'> {
  readonly readiness: Readiness;
  /** Between two looks at the host. Default: CHECK_MS. */
  readonly checkMs?: number;
  /** Default: LEAVE_MS. */
  readonly leaveMs?: number;
}

const CHECK_MS = 10_000;
/** At the end of a pod the sidecar goes first; one that is still there after this is not going, and the agent alone is being restarted. */
const LEAVE_MS = 3_000;
const LOOK_MS = 20;

export class Agent {
  readonly #options: AgentOptions;
  readonly #parts: AgentParts;
  readonly #config: AgentConfig;
  #service: AgentService | undefined;
  #socket: AgentSocket | undefined;
  #checks: NodeJS.Timeout | undefined;
  /** One after the other. */
  #work: Promise<void> = Promise.resolve();
  #starting = true;

  constructor(options: AgentOptions, parts: AgentParts) {
    this.#options = options;
    this.#parts = parts;
    parts.readiness.set('config', 'waiting for dataplane.yaml');
    this.#config = new AgentConfig({
      path: options.config,
      log: parts.log,
      loaded: (config) => this.#next(() => this.#follow(config)),
      judged: () => this.#next(() => this.#check()),
    });
  }

  get status(): AgentService['status'] | undefined {
    return this.#service?.status;
  }

  get attended(): boolean {
    return this.#service?.attended ?? false;
  }

  /** Done when it serves, or waits for a configuration that it can read. @throws Error with a remedy */
  async start(): Promise<void> {
    await this.#config.look();
    await this.#work;
    this.#starting = false;
  }

  /**
   * A sidecar that is still connected shows that only the agent is being restarted: kernel and packet filter go on as they are, and the next
   * agent finds them. Without one, all that is ours is removed.
   */
  async close(): Promise<void> {
    const { log, leaveMs = LEAVE_MS } = this.#parts;
    for (let waited = 0; this.#service?.attended && waited < leaveMs; waited += LOOK_MS) await delay(LOOK_MS);
    clearInterval(this.#checks);
    this.#config.close();
    await this.#work.catch(() => {});
    const keep = this.#service?.attended ?? false;
    log.info(
      { keep },
      keep ? 'the sidecar goes on: its children stay in the kernel' : 'no sidecar is there: all that is ours is removed',
    );
    await this.#socket?.close();
    await this.#service?.close(keep);
  }

  #next(task: () => Promise<void>): void {
    this.#work = this.#work.then(task);
    this.#work.catch((error: unknown) => {
      // Whoever waits for `start` sees it otherwise.
      if (!this.#starting) this.#parts.failed(error instanceof Error ? error : new Error(String(error)));
    });
  }

  async #follow(config: DataplaneConfig): Promise<void> {
    if (this.#service) {
      await this.#service.follow(config);
      return;
    }
    const { allowUids, orphanGraceMs, socket: path, socketMode: mode } = this.#options;
    const service = await AgentService.begin(config, { ...this.#parts, allowUids, orphanGraceMs });
    this.#socket = await listenAt({ path, mode, accept: (socket) => service.accept(socket) });
    this.#service = service;
    this.#parts.log.info({ socket: path }, 'waiting for the sidecar');
    this.#checks = setInterval(() => this.#next(() => this.#check()), this.#parts.checkMs ?? CHECK_MS);
  }

  async #check(): Promise<void> {
    if (!this.#service) return;
    const more = this.#config.problems.slice(0, MOST_TOLD).map((text): Problem => ({ severity: 'warning', text }));
    const problems = await this.#service.check(more);
    const blocking = problems.filter(({ severity }) => severity === 'blocking').map(({ text }) => text);
    this.#parts.readiness.set('dataplane', blocking.length > 0 ? blocking.join('\n') : undefined);
    this.#parts.readiness.set('config', undefined);
  }
}

const MOST_TOLD = 20;
