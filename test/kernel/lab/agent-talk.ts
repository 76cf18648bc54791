/** Speaks the agent's protocol without anything behind it. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import {
  AGENT_PROTOCOL,
  type FromAgent,
  MOST_ORDERS,
  type Outcome,
  type ToAgent,
} from '../../../sidecar/contract/agent-protocol.ts';
import type { DataplaneOrder } from '../../../sidecar/contract/dataplane.ts';
import { FrameReader } from '../../../sidecar/dataplane/agent/frame-reader.ts';
import { decodeFromAgent, encodeToAgent } from '../../../sidecar/dataplane/agent/messages.ts';

type Welcome = Extract<FromAgent, { type: 'welcome' }>;

export class AgentTalk {
  readonly welcome: Welcome;
  readonly #socket: Socket;
  readonly #messages: Messages;
  #id = 0;

  private constructor(socket: Socket, messages: Messages, welcome: Welcome) {
    this.#socket = socket;
    this.#messages = messages;
    this.welcome = welcome;
  }

  /** Done when the agent has said `welcome` and knows that there are no children yet. @throws Error when it will not. */
  static async connect(path: string): Promise<AgentTalk> {
    const socket = connect(path);
    await once(socket, 'connect');
    const messages = new Messages(socket);
    socket.write(encodeToAgent({ type: 'hello', protocol: AGENT_PROTOCOL, incarnation: randomBytes(16) }));
    const welcome = await messages.next((message) => message.type === 'welcome');
    if (welcome.type !== 'welcome') throw new Error('no welcome');
    const talk = new AgentTalk(socket, messages, welcome);
    await talk.#ask({ type: 'sync', id: ++talk.#id, children: [], last: true });
    return talk;
  }

  /** Any number of orders; one outcome for each. */
  async request(orders: readonly DataplaneOrder[]): Promise<readonly Outcome[]> {
    const parts = Array.from({ length: Math.ceil(orders.length / MOST_ORDERS) }, (_, part) =>
      orders.slice(part * MOST_ORDERS, (part + 1) * MOST_ORDERS),
    );
    const outcomes = await Promise.all(parts.map((part) => this.#ask({ type: 'orders', id: ++this.#id, orders: part })));
    return outcomes.flat();
  }

  close(): void {
    this.#socket.destroy();
  }

  async #ask(message: Extract<ToAgent, { id: number }>): Promise<readonly Outcome[]> {
    this.#socket.write(encodeToAgent(message));
    const done = await this.#messages.next((answer) => answer.type === 'done' && answer.id === message.id);
    return done.type === 'done' ? done.outcomes : [];
  }
}

/** What the agent says, for whoever waits for it. */
class Messages {
  readonly #waiting = new Set<{
    readonly accept: (message: FromAgent) => boolean;
    readonly resolve: (message: FromAgent) => void;
    readonly reject: (error: Error) => void;
  }>();

  constructor(socket: Socket) {
    const frames = new FrameReader();
    socket.on('data', (chunk: Buffer) => {
      for (const body of frames.read(chunk)) this.#hear(decodeFromAgent(body));
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      for (const { reject } of this.#waiting) reject(new Error('the agent ended the connection'));
    });
  }

  next(accept: (message: FromAgent) => boolean): Promise<FromAgent> {
    return new Promise((resolve, reject) => this.#waiting.add({ accept, resolve, reject }));
  }

  #hear(message: FromAgent): void {
    for (const waiter of this.#waiting) {
      if (!waiter.accept(message)) continue;
      this.#waiting.delete(waiter);
      waiter.resolve(message);
    }
  }
}
