/** The agent beside this process: whether it is there, which data plane it runs, and what it has to say about it. */
import type { CarriedTraffic, Problem } from '../contract/agent-protocol.ts';
import type { DataplaneReport, InstallOrder } from '../contract/dataplane.ts';
import type { AgentConnection, AgentConnectionOptions, Welcome } from '../dataplane/agent/agent-connection.ts';
import type { Log } from '../process/log.ts';

export type ConnectAgent = (options: AgentConnectionOptions) => AgentConnection;

export interface AgentLinkOptions {
  readonly connect: ConnectAgent;
  /** Of the agent's socket. */
  readonly path: string;
  /** 16 random bytes, new at every start. */
  readonly incarnation: Uint8Array;
  readonly log: Log;
  /** What `problems` says has changed. */
  readonly changed: () => void;
}

/** What hears of the children in the agent's kernel. */
export interface AgentUser {
  children(): readonly InstallOrder[];
  welcomed(): void;
  lost(): void;
  hear(reports: readonly DataplaneReport[]): void;
  count(children: readonly CarriedTraffic[], drops: Readonly<Record<string, number>>): void;
}

export class AgentLink {
  readonly connection: AgentConnection;
  readonly #options: AgentLinkOptions;
  readonly #first = Promise.withResolvers<Welcome>();
  #welcome: Welcome | undefined;
  /** Why no agent is there. */
  #away: string | undefined;
  #health: readonly Problem[] = [];
  /** What stands in the log already. */
  #told: ReadonlySet<string> = new Set();
  #user: AgentUser | undefined;
  #welcomes = 0;

  constructor(options: AgentLinkOptions) {
    const { path, incarnation, log } = options;
    this.#options = options;
    this.#away = `${path}: it has not answered yet`;
    this.connection = options.connect({
      ...{ path, incarnation, log },
      children: () => this.#user?.children() ?? [],
      welcome: (welcome) => this.#welcomed(welcome),
      reports: (reports) => this.#user?.hear(reports),
      traffic: (children, drops) => this.#user?.count(children, drops),
      health: (problems) => this.#heard(problems),
      lost: (error) => this.#lost(error),
    });
  }

  /** The first agent's; what it says of the data plane holds for as long as this process lives. */
  get first(): Promise<Welcome> {
    return this.#first.promise;
  }

  /** The last agent's; undefined before the first one. */
  get welcome(): Welcome | undefined {
    return this.#welcome;
  }

  get present(): boolean {
    return this.#away === undefined;
  }

  /** How often an agent came after another had gone. */
  get reconnects(): number {
    return Math.max(0, this.#welcomes - 1);
  }

  /** From now on; an agent that is there is told of the children that there are. */
  use(user: AgentUser): void {
    this.#user = user;
    if (this.present) user.welcomed();
  }

  problems(): readonly Problem[] {
    if (this.#away === undefined) return this.#health;
    return [{ severity: 'blocking', text: `no agent: ${this.#away}` }];
  }

  #welcomed(welcome: Welcome): void {
    this.#welcomes += 1;
    this.#welcome = welcome;
    this.#away = undefined;
    this.#health = [];
    this.#first.resolve(welcome);
    this.#user?.welcomed();
    this.#options.changed();
  }

  #lost({ message }: Error): void {
    this.#away = message;
    this.#user?.lost();
    this.#options.changed();
  }

  /** What is said already is not logged again, not by the next agent either. */
  #heard(problems: readonly Problem[]): void {
    const { log } = this.#options;
    for (const { severity, text } of problems)
      if (!this.#told.has(text)) log[severity === 'blocking' ? 'error' : 'warn']({ problem: text }, 'the agent has a problem');
    if (problems.length === 0 && this.#told.size > 0) log.info('the agent has no problem any more');
    this.#told = new Set(problems.map(({ text }) => text));
    this.#health = problems;
    this.#options.changed();
  }
}
