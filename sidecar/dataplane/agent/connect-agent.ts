/** Connects the sidecar to the agent, and again whenever that goes. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { FromAgent, Outcome, ToAgent } from '../../contract/agent-protocol.ts';
import type { DataplaneOrder } from '../../contract/dataplane.ts';
import { AgentAway, type AgentConnection, type AgentConnectionOptions } from './agent-connection.ts';
import { Attendance, type AttendanceLimits } from './attendance.ts';
import { type Limits, MessageChannel } from './message-channel.ts';
import { decodeFromAgent, encodeToAgent } from './messages.ts';
import { requestTun } from './tun-request.ts';

export interface Patience extends AttendanceLimits {
  /** Between two attempts: the first wait, which doubles up to the longest. */
  readonly firstMs: number;
  readonly longestMs: number;
  readonly limits?: Limits;
}

/** The agent answers a `sync` of a hundred thousand children when it is done with all of them. */
const PATIENCE: Patience = { firstMs: 50, longestMs: 3_000, welcomeMs: 5_000, answerMs: 120_000 };

/** Goes on for ever, until it is closed. */
export function connectAgent(options: AgentConnectionOptions, patience: Patience = PATIENCE): AgentConnection {
  return new Reconnection(options, patience);
}

class Reconnection implements AgentConnection {
  readonly #options: AgentConnectionOptions;
  readonly #patience: Patience;
  readonly #closing = new AbortController();
  readonly #ended: Promise<void>;
  #attendance: Attendance | undefined;
  #lastReason: string | undefined;

  constructor(options: AgentConnectionOptions, patience: Patience) {
    this.#options = options;
    this.#patience = patience;
    this.#ended = this.#run();
  }

  async request(orders: readonly DataplaneOrder[]): Promise<readonly Outcome[]> {
    return Promise.all(this.#attending().order(orders));
  }

  async settle(): Promise<void> {
    await Promise.all(this.#attending().order([undefined]));
  }

  tun(queues: number): Promise<readonly number[]> {
    return requestTun({ path: this.#options.path, queues });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#ended;
  }

  #attending(): Attendance {
    if (!this.#attendance) throw new AgentAway('no agent is connected');
    return this.#attendance;
  }

  async #run(): Promise<void> {
    const { firstMs, longestMs } = this.#patience;
    const { signal } = this.#closing;
    for (let wait = firstMs; !signal.aborted; wait = Math.min(longestMs, 2 * wait)) {
      const error = await this.#attend();
      if (signal.aborted) break;
      if (this.#attendance) wait = firstMs;
      this.#attendance = undefined;
      this.#lost(error);
      await delay(wait, undefined, { signal }).catch(() => {});
    }
    this.#attendance = undefined;
  }

  /** One connection, from its beginning to its end; answers why it ended. */
  async #attend(): Promise<Error> {
    const { signal } = this.#closing;
    const { limits } = this.#patience;
    let channel: MessageChannel<FromAgent, ToAgent> | undefined;
    const close = (): void => channel?.close();
    try {
      const socket = await connected(this.#options.path, signal);
      channel = new MessageChannel(socket, { decode: decodeFromAgent, encode: encodeToAgent, ...(limits && { limits }) });
      signal.addEventListener('abort', close);
      const attendance = new Attendance(channel, this.#options, this.#patience);
      return await attendance.run(() => {
        this.#lastReason = undefined;
        this.#attendance = attendance;
      });
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    } finally {
      signal.removeEventListener('abort', close);
    }
  }

  #lost(error: Error): void {
    if (error.message === this.#lastReason) return;
    this.#lastReason = error.message;
    this.#options.log.warn(`no agent: ${error.message}`);
    this.#options.lost(error);
  }
}

/** @throws Error with a remedy. */
async function connected(path: string, signal: AbortSignal): Promise<Socket> {
  const socket = connect(path);
  try {
    await once(socket, 'connect', { signal });
    return socket;
  } catch (error) {
    socket.destroy();
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new Error(`${path}: ${REMEDIES[code] ?? code}`, { cause: error });
  }
}

const REMEDIES: Readonly<Record<string, string>> = {
  ENOENT: 'nobody listens there yet; it is tried again until the agent has started',
  ECONNREFUSED: 'nobody listens there any more; it is tried again until the agent has been started anew',
  EACCES: 'no permission to connect; start the agent with --socket-mode 0660 and share its group, or run both as one user',
};
