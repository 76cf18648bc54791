/** The one ticket of a client, in the store or in hand: it leaves the store before it is presented, and a used one never goes back (RFC 5723 §4.3.1, §6.2). */
import type { HeldTicket } from '../ike/connection.ts';
import { isFresh, type TicketStore } from './ticket-store.ts';

export class TicketCustody {
  readonly #store: TicketStore;
  #stored = false;
  #hand: HeldTicket | undefined;

  constructor(store: TicketStore) {
    this.#store = store;
  }

  /** From the store into the hand. */
  take(now: number): void {
    this.#hand = this.#store.take(now);
    this.#stored = false;
  }

  /** The ticket that may be presented now. A lost attempt may be repeated with it. */
  inHand(now: number): HeldTicket | undefined {
    if (this.#hand && !isFresh(this.#hand, now)) this.#hand = undefined;
    return this.#hand;
  }

  /** A session was established, with it or without it. */
  used(): void {
    this.#hand = undefined;
  }

  /** The gateway gave a new one. */
  keep(ticket: HeldTicket): void {
    this.#hand = undefined;
    this.#store.keep(ticket);
    this.#stored = true;
  }

  /** Its session was deleted or rekeyed, or the gateway refused it. */
  discard(): void {
    this.#hand = undefined;
    this.#store.discard();
    this.#stored = false;
  }

  /** For the next start. Answers whether there is one. */
  putBack(now: number): boolean {
    const ticket = this.inHand(now);
    if (ticket) this.keep(ticket);
    return this.#stored;
  }
}
