/**
 * The kernel's data plane as the sidecar sees it: the agent programs the kernel, this knows which children there must be. Orders of one
 * turn go as one request. While the agent is away only the list of children is kept; the agent is brought up to date when it is back.
 */
import type { CarriedTraffic, Outcome } from '../../contract/agent-protocol.ts';
import type { DataplaneOrder, DataplaneReport, InstallOrder } from '../../contract/dataplane.ts';
import type { Dataplane, DataplaneStats, LastTraffic, Traffic } from '../dataplane.ts';
import { AgentAway, type AgentConnection } from './agent-connection.ts';
import { ChildList } from './child-list.ts';
import { TrafficLedger } from './traffic-ledger.ts';

export interface AgentDataplaneOptions {
  readonly connection: () => Pick<AgentConnection, 'request' | 'settle'>;
  /** There is something in `reports`. */
  readonly active: () => void;
  /** The agent is there and has all children, or is not. */
  readonly available: (is: boolean) => void;
  readonly failed: (error: unknown) => void;
}

interface Waiting {
  readonly order: DataplaneOrder;
  readonly done: (last: LastTraffic) => void;
}

export class AgentDataplane implements Dataplane {
  readonly #options: AgentDataplaneOptions;
  readonly #children = new ChildList();
  readonly #ledger = new TrafficLedger();
  /** Counts agents that came and went: what an earlier one leaves behind concerns nobody. */
  #era = 0;
  #present = false;
  #drops: Readonly<Record<string, number>> = {};
  #reports: DataplaneReport[] = [];
  #batch: Waiting[] = [];
  /** Children that an agent had not answered for when it went: they are there with the next `sync`. */
  #unanswered: Waiting[] = [];

  constructor(options: AgentDataplaneOptions) {
    this.#options = options;
  }

  /** For a `sync`. */
  children(): readonly InstallOrder[] {
    return this.#children.forSync();
  }

  /** An agent is there, and is about to be told of all children. */
  welcomed(): void {
    this.#present = true;
    void this.#catchUp(++this.#era);
  }

  lost(): void {
    this.#present = false;
    this.#era += 1;
    this.#options.available(false);
  }

  hear(reports: readonly DataplaneReport[]): void {
    for (const report of reports) {
      if (report.report === 'carried') this.#children.carried(report);
      if (report.report === 'lost') this.#children.delete(report.spiIn);
    }
    this.#tell(reports);
  }

  count(children: readonly CarriedTraffic[], drops: Readonly<Record<string, number>>): void {
    this.#ledger.hear(children);
    this.#drops = drops;
  }

  order(order: DataplaneOrder): Promise<LastTraffic> | LastTraffic {
    const isKnown = this.#children.note(order);
    if (order.order === 'install') this.#ledger.begin(order.child.spiIn);
    // Nothing to ask for: the next agent hears of it by the list, or the agent itself has said that the child is gone.
    if (!this.#present || !isKnown) return order.order === 'remove' ? this.#ledger.end(order.spiIn) : undefined;
    const { promise, resolve } = Promise.withResolvers<LastTraffic>();
    if (order.order === 'install') this.#children.offer(order.child.spiIn);
    this.#batch.push({ order, done: resolve });
    if (this.#batch.length === 1) queueMicrotask(() => void this.#request(this.#batch.splice(0)));
    return promise;
  }

  reports(): readonly DataplaneReport[] {
    return this.#reports.splice(0);
  }

  settle(): undefined | Promise<void> {
    return this.#present ? this.#options.connection().settle().catch(unlessAway) : undefined;
  }

  stats(): DataplaneStats {
    return { children: this.#ledger.children(), totals: this.#ledger.totals(), drops: this.#drops };
  }

  traffic(spiIn: number): Traffic | undefined {
    return this.#ledger.of(spiIn);
  }

  /** The agent keeps what it has until another sidecar tells it otherwise, or none does. */
  close(): void {
    this.#children.clear();
  }

  async #catchUp(era: number): Promise<void> {
    try {
      await this.#options.connection().settle();
    } catch (error) {
      if (!(error instanceof AgentAway)) this.#options.failed(error);
      return;
    }
    if (era !== this.#era) return;
    for (const { done } of this.#unanswered.splice(0)) done();
    this.#options.available(true);
  }

  async #request(batch: readonly Waiting[]): Promise<void> {
    let outcomes: readonly Outcome[];
    try {
      outcomes = await this.#options.connection().request(batch.map(({ order }) => order));
    } catch (error) {
      this.#interrupted(batch, error);
      return;
    }
    batch.forEach(({ order, done }, index) => {
      const outcome = outcomes[index];
      if (outcome && !outcome.ok) this.#refused(order, `${outcome.why}: ${outcome.reason}`);
      if (outcome?.ok && outcome.traffic) this.#ledger.hear([outcome.traffic]);
      done(this.#ended(order));
    });
  }

  /** The next agent hears of each child as it is now, and only then is one that is new there. */
  #interrupted(batch: readonly Waiting[], error: unknown): void {
    const isAway = error instanceof AgentAway;
    if (!isAway) this.#options.failed(error);
    for (const waiting of batch) {
      const { order, done } = waiting;
      if (isAway && order.order === 'install') this.#unanswered.push(waiting);
      else {
        if (!isAway) this.#refused(order, 'the request came to nothing');
        done(this.#ended(order));
      }
    }
    if (isAway && this.#present) void this.#catchUp(this.#era);
  }

  /** A child that could not be installed is not there. One that could not follow its peer is there until the core, which hears of it, has it removed. */
  #refused(order: DataplaneOrder, reason: string): void {
    if (order.order === 'install') this.#children.delete(order.child.spiIn);
    if (order.order !== 'remove') this.#tell([{ report: 'lost', spiIn: spiOf(order), reason }]);
  }

  #tell(reports: readonly DataplaneReport[]): void {
    this.#reports.push(...reports);
    if (reports.length > 0) this.#options.active();
  }

  #ended = (order: DataplaneOrder): LastTraffic => (order.order === 'remove' ? this.#ledger.end(order.spiIn) : undefined);
}

const spiOf = (order: DataplaneOrder): number => (order.order === 'install' ? order.child.spiIn : order.spiIn);

function unlessAway(error: unknown): void {
  // What it had to report went with it.
  if (!(error instanceof AgentAway)) throw error;
}
