/** Initiators by the thousand from few sockets. */
import { createSocket, type Socket } from 'node:dgram';
import type { SecuredSa } from '../../sidecar/ike/protection.ts';
import type { Bytes } from '../../sidecar/ike/wire/bytes.ts';
import { decodeMessage } from '../../sidecar/ike/wire/message.ts';
import { authenticate, type Begun, begin, conclude, type Endpoint, type Held, type Manner } from './initiator.ts';

export interface Counted {
  readonly done: number;
  /** Requests that had to be sent again: a sign that a socket buffer ran over. */
  readonly repeated: number;
}

interface Handshake extends Begun {
  readonly socket: Socket;
  sa: SecuredSa | undefined;
  last: Bytes;
  sentAt: number;
  repeats: number;
}

export const WITH_SHARED_KEY: Manner = { proof: 'psk', child: true, ticket: true, resumption: 'rfc' };
/** Long, for a slow responder would only become slower. */
const REPEAT_MS = 5_000;
/** A gateway that lets a handshake wait for so many repetitions is not one to measure. */
const MAX_REPEATS = 5;

export class Load {
  readonly tickets = new Map<number, Held>();
  readonly #sockets: readonly Socket[];
  readonly #responder: Endpoint;
  readonly #window: number;
  readonly #manner: Manner;
  readonly #underWay = new Map<string, Handshake>();
  #next: () => Handshake | undefined = () => undefined;
  #finished = Promise.withResolvers<void>();
  #done = 0;
  #repeated = 0;

  /** `window`: handshakes that are under way at a time. `sources`: the addresses of the clients, which take turns; undefined: the system's choice. */
  static async open(
    responder: Endpoint,
    window: number,
    manner = WITH_SHARED_KEY,
    sources: readonly (string | undefined)[] = [undefined],
  ): Promise<Load> {
    const sockets = await Promise.all(sources.map((source) => connected(responder, source)));
    return new Load(sockets, responder, window, manner);
  }

  private constructor(sockets: readonly Socket[], responder: Endpoint, window: number, manner: Manner) {
    this.#sockets = sockets;
    this.#responder = responder;
    this.#window = window;
    this.#manner = manner;
    for (const socket of sockets) socket.on('message', (datagram) => this.#guard(() => this.#receive(datagram)));
  }

  /** @throws Error when the responder refuses anything. */
  full(first: number, count: number): Promise<Counted> {
    return this.#run(first, count, () => undefined);
  }

  /** With the tickets that the full handshakes of the same users brought. */
  resume(first: number, count: number): Promise<Counted> {
    return this.#run(first, count, (user) => this.tickets.get(user));
  }

  close(): void {
    for (const socket of this.#sockets) socket.close();
  }

  async #run(first: number, count: number, ticketOf: (user: number) => Held | undefined): Promise<Counted> {
    let user = first;
    [this.#done, this.#repeated, this.#finished] = [0, 0, Promise.withResolvers()];
    this.#next = () => (user < first + count ? this.#handshake(user, ticketOf(user++)) : undefined);
    const timer = setInterval(() => this.#repeat(), REPEAT_MS);
    this.#guard(() => {
      for (let at = 0; at < this.#window; at++) this.#begin();
    });
    await this.#finished.promise.finally(() => clearInterval(timer));
    return { done: this.#done, repeated: this.#repeated };
  }

  #handshake(user: number, held: Held | undefined): Handshake {
    const begun = begin(user, held, this.#manner, this.#responder);
    const socket = this.#sockets[user % this.#sockets.length] as Socket;
    return { ...begun, socket, sa: undefined, last: begun.request, sentAt: 0, repeats: 0 };
  }

  #begin(): void {
    const handshake = this.#next();
    if (handshake) {
      this.#underWay.set(handshake.spiI, handshake);
      this.#send(handshake, handshake.request);
    } else if (this.#underWay.size === 0) this.#finished.resolve();
  }

  #send(handshake: Handshake, datagram: Bytes): void {
    handshake.last = datagram;
    handshake.sentAt = performance.now();
    handshake.socket.send(datagram);
  }

  #repeat(): void {
    const overdue = performance.now() - REPEAT_MS;
    for (const handshake of this.#underWay.values()) {
      if (handshake.sentAt > overdue) continue;
      this.#repeated += 1;
      handshake.repeats += 1;
      if (handshake.repeats > MAX_REPEATS)
        this.#finished.reject(new Error(`user ${handshake.user}: no answer after ${MAX_REPEATS} repetitions`));
      this.#send(handshake, handshake.last);
    }
  }

  #receive(datagram: Bytes): void {
    const message = decodeMessage(datagram);
    const handshake = this.#underWay.get(message.spiI);
    // What the responder begins by itself is not answered.
    if (!handshake || !message.response) return;
    if (!handshake.sa) {
      const { sa, request } = authenticate(handshake, message, datagram, this.#manner);
      handshake.sa = sa;
      this.#send(handshake, request);
    } else if (message.encrypted) {
      const held = conclude(handshake, handshake.sa, message.encrypted, this.#manner);
      if (held) this.tickets.set(handshake.user, held);
      this.#underWay.delete(handshake.spiI);
      this.#done += 1;
      this.#begin();
    }
  }

  /** One refusal ends the run. */
  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#finished.reject(error);
    }
  }
}

async function connected({ address, port }: Endpoint, source: string | undefined): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: BUFFER_BYTES, sendBufferSize: BUFFER_BYTES });
  // Nobody listens any more: the repetitions will say it.
  socket.on('error', () => {});
  const [bound, done] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  socket.bind({ address: source, port: 0 }, () => bound.resolve());
  await bound.promise;
  socket.connect(port, address, () => done.resolve());
  await done.promise;
  return socket;
}

const BUFFER_BYTES = 4 << 20;
