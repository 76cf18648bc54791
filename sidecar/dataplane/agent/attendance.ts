/** One connection to the agent, from greeting to end: welcome, all children, then requests and what the agent tells by itself. */
import { AGENT_PROTOCOL, type FromAgent, type Outcome, type ToAgent } from '../../contract/agent-protocol.ts';
import type { DataplaneOrder, InstallOrder } from '../../contract/dataplane.ts';
import { AgentAway, type AgentConnectionOptions } from './agent-connection.ts';
import type { MessageChannel } from './message-channel.ts';
import { NoMessage } from './messages.ts';
import { RequestQueue } from './request-queue.ts';

export interface AttendanceLimits {
  readonly welcomeMs: number;
  /** For the next answer, while one is due. */
  readonly answerMs: number;
}

export class Attendance {
  readonly #channel: MessageChannel<FromAgent, ToAgent>;
  readonly #options: AgentConnectionOptions;
  readonly #limits: AttendanceLimits;
  readonly #queue = new RequestQueue();
  /** `syncing` until all children were named. */
  #sending: 'syncing' | 'idle' | 'busy' | 'ended' = 'syncing';
  /** When the agent last answered, or something was asked with nothing else open. */
  #progressAt = 0;

  constructor(channel: MessageChannel<FromAgent, ToAgent>, options: AgentConnectionOptions, limits: AttendanceLimits) {
    this.#channel = channel;
    this.#options = options;
    this.#limits = limits;
  }

  /** `welcomed`: from here on orders are taken. @throws Error that says why it ended */
  async run(welcomed: () => void): Promise<never> {
    const { incarnation } = this.#options;
    const messages = this.#channel.messages();
    const watch = setInterval(() => this.#watch(), this.#limits.answerMs / 4);
    try {
      this.#channel.send({ type: 'hello', protocol: AGENT_PROTOCOL, incarnation });
      const welcome = await this.#welcome(messages);
      welcomed();
      this.#options.log.info({ dataplane: welcome.dataplane, mtu: welcome.mtu }, 'connected to the agent');
      this.#options.welcome(welcome);
      this.#sync(this.#options.children()).catch((error: Error) => this.#channel.close(error));
      for await (const message of messages) this.#take(message);
      throw new Error('the agent closed the connection');
    } finally {
      clearInterval(watch);
      this.#sending = 'ended';
      this.#channel.close();
      this.#queue.fail(new AgentAway('the agent went before it answered'));
    }
  }

  /** One promise for each; undefined asks that all before it is done. @throws AgentAway */
  order(orders: readonly (DataplaneOrder | undefined)[]): readonly Promise<Outcome>[] {
    if (this.#sending === 'ended') throw new AgentAway('the agent has gone');
    const outcomes = orders.map((order) => this.#queue.order(order));
    this.#send();
    return outcomes;
  }

  async #welcome(messages: AsyncGenerator<FromAgent>): Promise<Extract<FromAgent, { type: 'welcome' }>> {
    const { welcomeMs } = this.#limits;
    const late = setTimeout(() => this.#channel.close(new Error(`the agent said nothing for ${welcomeMs} ms`)), welcomeMs);
    const { value: first, done } = await messages.next().finally(() => clearTimeout(late));
    if (done)
      throw new Error('the agent closed the connection at once; its log says why, such as a user that --allow-uid does not name');
    if (first.type !== 'welcome') throw new NoMessage(`message: type: ${first.type} before welcome`);
    return first;
  }

  async #sync(children: readonly InstallOrder[]): Promise<void> {
    for (const part of this.#queue.sync(children, (order, outcome) => this.#synced(order, outcome))) {
      this.#post(part);
      await this.#channel.ready();
    }
    if (this.#channel.gone) return;
    this.#sending = 'idle';
    this.#send();
  }

  #synced({ child: { spiIn } }: InstallOrder, outcome: Outcome): void {
    if (!outcome.ok) this.#options.reports([{ report: 'lost', spiIn, reason: `${outcome.why}: ${outcome.reason}` }]);
  }

  /** What is asked for in one turn of the event loop goes together. */
  #send(): void {
    if (this.#sending !== 'idle') return;
    this.#sending = 'busy';
    setImmediate(() => {
      this.#drain().catch((error: Error) => this.#channel.close(error));
    });
  }

  async #drain(): Promise<void> {
    for (let message = this.#queue.next(); message && !this.#channel.gone; message = this.#queue.next()) {
      this.#post(message);
      await this.#channel.ready();
    }
    if (this.#sending === 'busy') this.#sending = 'idle';
  }

  #post(message: ToAgent): void {
    if (this.#queue.unanswered === 1) this.#progressAt = performance.now();
    this.#channel.send(message);
  }

  #take(message: FromAgent): void {
    const { reports, traffic, health } = this.#options;
    switch (message.type) {
      case 'done':
        this.#progressAt = performance.now();
        this.#queue.answer(message.id, message.outcomes);
        break;
      case 'reports':
        reports(message.reports);
        break;
      case 'traffic':
        traffic(message.children, message.drops);
        break;
      case 'health':
        health(message.problems);
        break;
      case 'welcome':
      case 'tun':
        throw new NoMessage(`message: type: ${message.type} has no place here`);
    }
  }

  #watch(): void {
    const { answerMs } = this.#limits;
    if (this.#queue.unanswered > 0 && performance.now() - this.#progressAt > answerMs)
      this.#channel.close(new Error(`the agent has not answered for ${answerMs} ms`));
  }
}
