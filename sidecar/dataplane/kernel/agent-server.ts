/** The agent's end of the connection: who may connect, one sidecar at a time, and what is told to it. */
import type { Socket } from 'node:net';
import {
  AGENT_PROTOCOL,
  type CarriedTraffic,
  type FromAgent,
  type Problem,
  type ToAgent,
} from '../../contract/agent-protocol.ts';
import { MOST_ENTRIES } from '../../contract/agent-protocol-shapes.ts';
import type { DataplaneReport } from '../../contract/dataplane.ts';
import type { Log } from '../../process/log.ts';
import { RateLimit } from '../../process/rate-limit.ts';
import { type Limits, MessageChannel } from '../agent/message-channel.ts';
import { decodeToAgent, encodeFromAgent, NoMessage, OtherProtocol } from '../agent/messages.ts';
import type { PeerCredentials } from '../agent/unix-syscalls.ts';
import type { ChildrenInForce } from './children-in-force.ts';
import { ReportBacklog } from './report-backlog.ts';
import { sentence } from './sentence.ts';
import { type AgentChannel, SidecarSession } from './sidecar-session.ts';

export type Welcome = Omit<Extract<FromAgent, { type: 'welcome' }>, 'type' | 'protocol'>;

export interface AgentServerOptions {
  readonly children: ChildrenInForce;
  readonly allowUids: readonly number[];
  readonly welcome: Welcome;
  /** Who is at the other end of an accepted socket. @throws Error when nobody can tell */
  readonly peerOf: (socket: Socket) => PeerCredentials;
  /** Answers a request for TUN descriptors with these. @throws Error that says why there are none */
  readonly sendTun: (socket: Socket, queues: number) => Promise<void>;
  /** A sidecar has named all its children. */
  readonly synced: () => void;
  /** No sidecar is there any more. */
  readonly left: () => void;
  readonly log: Log;
  readonly limits?: Limits;
  /** So long a sidecar may take to say hello. */
  readonly helloMs?: number;
}

const HELLO_MS = 5_000;
/** Connections that have said nothing yet. */
const MOST_STRANGERS = 8;
/** Lines about connections that were refused. */
const LINES_PER_MINUTE = 10;

export class AgentServer {
  readonly #options: AgentServerOptions;
  readonly #backlog = new ReportBacklog();
  readonly #refusals = new RateLimit(LINES_PER_MINUTE, 60_000);
  readonly #strangers = new Set<Socket>();
  #closed = false;
  #welcome: Welcome;
  #problems: readonly Problem[] = [];
  #current: { readonly channel: AgentChannel; readonly peer: PeerCredentials; synced: boolean } | undefined;

  constructor(options: AgentServerOptions) {
    this.#options = options;
    this.#welcome = options.welcome;
  }

  /** Whether a sidecar is connected. */
  get attended(): boolean {
    return this.#current !== undefined;
  }

  /** Whether it has named all its children. */
  get synced(): boolean {
    return this.#current?.synced ?? false;
  }

  /** A connection that was accepted. */
  accept(socket: Socket): void {
    socket.on('error', () => {});
    const peer = this.#closed ? undefined : this.#admitted(socket);
    if (!peer) {
      socket.destroy();
      return;
    }
    this.#strangers.add(socket);
    socket.once('close', () => this.#strangers.delete(socket));
    this.#serve(socket, peer).catch((error: unknown) => this.#ended(peer, error));
  }

  /** The connected sidecar, if there is one, connects anew and names its children again: what is allowed has changed. */
  renew(welcome: Welcome): void {
    this.#welcome = welcome;
    if (!this.#current) return;
    this.#current.channel.close();
    this.#current = undefined;
    this.#options.left();
  }

  reports(reports: readonly DataplaneReport[]): void {
    if (reports.length === 0) return;
    this.#options.children.observe(reports);
    if (this.#current?.synced) for (const part of parts(reports)) this.#tell({ type: 'reports', reports: part });
    else this.#backlog.add(reports);
  }

  traffic(children: readonly CarriedTraffic[], drops: Readonly<Record<string, number>>): void {
    for (const part of parts(children)) this.#tell({ type: 'traffic', children: part, drops });
  }

  health(problems: readonly Problem[]): void {
    const told = problems.slice(0, MOST_PROBLEMS).map(({ severity, text }) => ({ severity, text: sentence(text) }));
    if (JSON.stringify(told) === JSON.stringify(this.#problems)) return;
    this.#problems = told;
    this.#tell({ type: 'health', problems: told });
  }

  close(): void {
    this.#closed = true;
    for (const socket of this.#strangers) socket.destroy();
    this.#current?.channel.close();
    this.#current = undefined;
  }

  #tell(message: FromAgent): void {
    this.#current?.channel.send(message);
  }

  #admitted(socket: Socket): PeerCredentials | undefined {
    if (this.#strangers.size >= MOST_STRANGERS) return this.#refuse({}, 'too many connections that say nothing');
    try {
      const peer = this.#options.peerOf(socket);
      if (this.#options.allowUids.includes(peer.uid)) return peer;
      return this.#refuse({ ...peer }, 'this user may not connect; name it with --allow-uid if it is the sidecar');
    } catch (error) {
      return this.#refuse({ err: error }, 'nobody can tell who connects');
    }
  }

  #refuse(fields: object, why: string): undefined {
    const heldBack = this.#refusals.pass(performance.now());
    if (heldBack !== undefined) this.#options.log.warn({ ...fields, heldBack }, `connection refused: ${why}`);
    return undefined;
  }

  async #serve(socket: Socket, peer: PeerCredentials): Promise<void> {
    const { limits, helloMs = HELLO_MS } = this.#options;
    const channel: AgentChannel = new MessageChannel<ToAgent, FromAgent>(socket, {
      decode: decodeToAgent,
      encode: encodeFromAgent,
      ...(limits && { limits }),
    });
    const late = setTimeout(() => socket.destroy(new NoMessage(`no hello after ${helloMs} ms`)), helloMs);
    try {
      const messages = channel.messages();
      const { value: first, done } = await messages.next();
      clearTimeout(late);
      if (done) return;
      if (first.type === 'tun') await this.#handTun(socket, channel, first.queues);
      else if (first.type === 'hello') await this.#attend(socket, channel, peer, messages);
      else throw new NoMessage(`message: type: ${first.type} before hello`);
    } catch (error) {
      // So that it can tell its people the same.
      if (error instanceof OtherProtocol) channel.send(this.#greeting());
      throw error;
    } finally {
      clearTimeout(late);
      channel.close();
    }
  }

  async #attend(
    socket: Socket,
    channel: AgentChannel,
    peer: PeerCredentials,
    messages: AsyncGenerator<ToAgent, void, undefined>,
  ): Promise<void> {
    const { children, log, synced, left } = this.#options;
    // A sidecar that was started again must not wait until the connection of the one before it is noticed to be dead.
    if (this.#current)
      log.warn({ before: this.#current.peer.pid, now: peer.pid }, 'another sidecar takes the place of the one before');
    this.#current?.channel.close();
    const current = { channel, peer, synced: false };
    this.#current = current;
    this.#strangers.delete(socket);
    log.info({ ...peer }, 'a sidecar is connected');
    channel.send(this.#greeting());
    channel.send({ type: 'health', problems: this.#problems });
    const session = new SidecarSession({
      ...{ channel, children },
      synced: () => {
        if (this.#current !== current) return;
        current.synced = true;
        synced();
        this.reports(this.#backlog.take());
      },
    });
    try {
      for await (const message of messages) {
        if (this.#current !== current) return;
        await session.take(message);
      }
      log.info({ pid: peer.pid }, 'the sidecar is gone');
    } finally {
      if (this.#current === current) {
        this.#current = undefined;
        left();
      }
    }
  }

  async #handTun(socket: Socket, channel: AgentChannel, queues: number): Promise<void> {
    try {
      await this.#options.sendTun(socket, queues);
      this.#options.log.info({ queues }, 'handed over the TUN device');
    } catch (error) {
      const text = sentence(error instanceof Error ? error.message : String(error));
      this.#options.log.error({ queues }, `no TUN device for the sidecar: ${text}`);
      channel.send({ type: 'health', problems: [{ severity: 'blocking', text }] });
    }
  }

  #greeting(): FromAgent {
    return { type: 'welcome', protocol: AGENT_PROTOCOL, ...this.#welcome };
  }

  #ended({ pid, uid }: PeerCredentials, error: unknown): void {
    const why = error instanceof Error ? error.message : String(error);
    const heldBack = this.#refusals.pass(performance.now());
    if (heldBack !== undefined) this.#options.log.warn({ pid, uid, heldBack }, `connection ended: ${why}`);
  }
}

const MOST_PROBLEMS = 64;

/** One at least. */
function* parts<T>(all: readonly T[]): Generator<readonly T[]> {
  if (all.length === 0) yield all;
  for (let at = 0; at < all.length; at += MOST_ENTRIES) yield all.slice(at, at + MOST_ENTRIES);
}
