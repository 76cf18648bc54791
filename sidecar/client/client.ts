/** A VPN client in one object: connect, ping, close, suspend. It stays connected by itself, through the death of its gateway (RFC 5723). */
import type { Event } from '../ike/step.ts';
import type { Bytes } from '../ike/wire/bytes.ts';
import type { ClientEvent } from './event.ts';
import { Lifeline } from './lifeline.ts';
import type { ClientOptions } from './options.ts';
import { Pinger, type PingResult } from './ping.ts';
import type { ClientPorts } from './ports.ts';
import { TicketCustody } from './ticket-custody.ts';
import { TicketMemory, type TicketStore } from './ticket-store.ts';

export interface ClientSurroundings {
  readonly ports: ClientPorts;
  /** Default: in memory. */
  readonly tickets?: TicketStore;
  readonly observe?: (event: ClientEvent) => void;
  /** Every event of the core, for diagnostics; one of them holds a ticket. */
  readonly trace?: (event: Event) => void;
  /** Inner packets that answer no ping of ours go to a TUN device; without it, pings to our inner addresses are answered here. */
  readonly deliver?: ((packet: Bytes) => void) | undefined;
}

export type Established = Extract<ClientEvent, { name: 'established' }>;

export class Client {
  readonly #surroundings: ClientSurroundings;
  readonly #lifeline: Lifeline;
  readonly #custody: TicketCustody;
  readonly #pinger: Pinger;
  readonly #established = Promise.withResolvers<Established>();
  #running: Promise<string | undefined> | undefined;

  constructor(options: ClientOptions, surroundings: ClientSurroundings) {
    const { ports, tickets = new TicketMemory(), trace = () => {}, deliver } = surroundings;
    this.#surroundings = surroundings;
    this.#custody = new TicketCustody(tickets);
    this.#lifeline = new Lifeline(options, ports, this.#custody, {
      ...{ trace, answersEcho: deliver === undefined },
      tell: (event) => this.#tell(event),
      inner: (packet) => this.#pinger.receive(packet) || deliver?.(packet),
    });
    this.#pinger = new Pinger(ports, { inner: () => this.inner(), transmit: (packet) => this.transmit(packet) });
    this.#established.promise.catch(() => {}); // whoever calls connect() hears of it
  }

  /** Done when the first session is there. @throws Error when there will be none: it failed and is to run `once`, or was closed before. */
  connect(): Promise<Established> {
    this.#running ??= this.#lifeline.run();
    this.#running.then(
      (failure) => this.#established.reject(new Error(failure ?? 'closed before there was a session')),
      (error: unknown) => this.#established.reject(error),
    );
    return this.#established.promise;
  }

  /** Done when it has ended for good; answers the failure that ended it, if it is to run `once`. */
  async ended(): Promise<string | undefined> {
    return this.#running;
  }

  /** Our inner addresses of the moment, 4 or 16 bytes each; none while there is no session. */
  inner(): readonly Bytes[] {
    return this.#lifeline.session?.inner() ?? [];
  }

  /** One echo through the tunnel, to an address of 4 or 16 bytes; lost when there is no session. */
  async ping(to: Bytes, timeoutMs?: number): Promise<PingResult> {
    const result = await this.#pinger.ping(to, timeoutMs);
    this.#tell(result);
    return result;
  }

  /** Carries an inner packet to the gateway; dropped when there is no session. */
  transmit(packet: Bytes): void {
    this.#lifeline.session?.transmit(packet);
  }

  /** Deletes the session, and its ticket with it (RFC 5723 §6.2). */
  async close(): Promise<void> {
    this.#lifeline.stop('delete');
    await this.#running;
    this.#custody.discard();
  }

  /** Leaves without a word and keeps the ticket for the next start. Answers whether there is one. */
  async suspend(): Promise<boolean> {
    this.#lifeline.stop('silently');
    await this.#running;
    const ticket = this.#custody.putBack(this.#surroundings.ports.clock());
    this.#tell({ name: 'suspended', ticket });
    return ticket;
  }

  #tell(event: ClientEvent): void {
    if (event.name === 'established') this.#established.resolve(event);
    this.#surroundings.observe?.(event);
  }
}
