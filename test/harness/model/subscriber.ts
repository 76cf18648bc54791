/** A client program, as far as it matters to the protocol: where it is, which ticket it holds, what it has presented. */
import type { Connection, HeldTicket } from '../../../sidecar/ike/connection.ts';
import type { Identity } from '../../../sidecar/ike/sa.ts';
import type { Event } from '../../../sidecar/ike/step.ts';
import { connection, email } from '../policy.ts';
import { type Node, SERVICE, type World } from '../world.ts';

export class Subscriber {
  readonly identity: Identity;
  readonly psk: Uint8Array;
  readonly node: Node;
  /** The one ticket that may be presented next. */
  hand: HeldTicket | undefined;
  /** What the last attempt was begun with. */
  presented: HeldTicket | undefined;
  readonly #world: World;
  readonly #terms: Partial<Connection>;
  readonly #number: number;
  readonly #behindNat: boolean;
  #moves = 0;
  #rebindings = 0;
  #port = 49_999;

  constructor(world: World, number: number, terms: Partial<Connection>, behindNat: boolean) {
    const name = `client-${number}`;
    this.#world = world;
    this.#number = number;
    this.#terms = terms;
    this.#behindNat = behindNat;
    this.identity = email(`${name}@example.com`);
    this.psk = new TextEncoder().encode(`secret of ${name}`);
    this.node = world.client(name, this.#address());
  }

  /** From a new port each time. Whatever it had before is forgotten without a word. */
  connect(): void {
    this.#world.do(this.node, { type: 'shutdown', tell: false });
    if (this.hand && this.hand.expiresAt <= this.#world.now) this.hand = undefined;
    this.presented = this.hand;
    this.#port += 1;
    const local = `${this.node.address}:${this.#port}`;
    if (this.#behindNat) this.#world.nat.set(local, this.#outside());
    const of: Connection = connection({
      ...{ name: this.node.name, local: this.identity },
      authentication: { method: 'psk', secret: this.psk },
      path: { local, remote: `${SERVICE}:500` },
      natPath: { local, remote: `${SERVICE}:4500` },
      ...this.#terms,
    });
    this.#world.do(this.node, { type: 'connect', connection: of, ticket: this.hand });
  }

  leave(tell: boolean, keep: boolean): void {
    const { hand } = this;
    this.#world.do(this.node, { type: 'shutdown', tell });
    if (keep) this.hand = hand;
  }

  /** A NAT on the way gives it another address outside too. */
  roam(): void {
    this.#moves += 1;
    this.node.address = this.#address();
    const local = `${this.node.address}:${this.#port}`;
    if (this.#behindNat) this.#world.nat.set(local, this.#outside());
    this.#world.do(this.node, { type: 'roam', path: { local, remote: `${SERVICE}:4500` } });
  }

  rebind(): void {
    const local = `${this.node.address}:${this.#port}`;
    if (this.#world.nat.has(local)) this.#world.nat.set(local, this.#outside());
  }

  heard(event: Event): void {
    switch (event.name) {
      case 'established':
        this.hand = undefined; // RFC 5723 §4.3.1: used, or of no use any more
        break;
      case 'ticket':
        this.hand = event.ticket;
        break;
      case 'ticket-void':
        this.hand = undefined;
    }
  }

  #address(): string {
    return `192.0.${2 + this.#moves}.${10 + this.#number}`;
  }

  #outside(): string {
    this.#rebindings += 1;
    return `203.0.113.${10 + this.#number}:${20_000 + this.#rebindings}`;
  }
}
