/** The connection of the sidecar to the agent, as the data plane above it sees it. */
import type { CarriedTraffic, FromAgent, Outcome, Problem } from '../../contract/agent-protocol.ts';
import type { DataplaneOrder, DataplaneReport, InstallOrder } from '../../contract/dataplane.ts';
import type { Log } from '../../process/log.ts';

export type Welcome = Extract<FromAgent, { type: 'welcome' }>;

export interface AgentConnection {
  /**
   * Carried out in order, also in the order of the calls; one outcome for each. Any number of orders. May be called from `welcome` on: what is asked
   * for before the `sync` is answered comes after it.
   * @throws AgentAway when no agent is there, or it goes before it answers: the next `sync` brings it up to date.
   */
  request(orders: readonly DataplaneOrder[]): Promise<readonly Outcome[]>;
  /** When fulfilled, all that happened before the call has been reported. @throws AgentAway */
  settle(): Promise<void>;
  /** Descriptors of the agent's TUN device, one for each queue; the caller closes them. @throws Error that says why there are none. */
  tun(queues: number): Promise<readonly number[]>;
  /** Done when nothing of it is left; the agent keeps the children. */
  close(): Promise<void>;
}

export interface AgentConnectionOptions {
  /** Of the agent's socket. */
  readonly path: string;
  /** 16 random bytes, new at every start of the sidecar. */
  readonly incarnation: Uint8Array;
  readonly log: Log;
  /** All children there are, asked for at each `sync`. One that the agent would not install is reported as `lost`. */
  readonly children: () => readonly InstallOrder[];
  /** An agent is there; called before the `sync`. */
  readonly welcome: (welcome: Welcome) => void;
  readonly reports: (reports: readonly DataplaneReport[]) => void;
  readonly traffic: (children: readonly CarriedTraffic[], drops: Readonly<Record<string, number>>) => void;
  /** After each welcome, and when it changes. With a `blocking` one no child can be carried. */
  readonly health: (problems: readonly Problem[]) => void;
  /** No agent is there: it could not be reached at start, or went. Called once for each reason; whatever was asked for has been rejected. */
  readonly lost: (error: Error) => void;
}

/** No agent is connected, so nothing can be asked of it. */
export class AgentAway extends Error {
  override readonly name = 'AgentAway';
}
