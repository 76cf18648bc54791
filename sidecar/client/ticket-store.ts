/** Where a client keeps its ticket (RFC 5723 §6.2), and whose ticket it may present. */
import type { Algorithms } from '../contract/gateway-config.ts';
import { formatIdentity } from '../contract/identity.ts';
import type { HeldTicket } from '../ike/connection.ts';
import type { Identity } from '../ike/sa.ts';

export interface TicketStore {
  /**
   * Takes the ticket out for good, before it is presented: a client that dies while it resumes must not present it again.
   * Undefined: there is none that may be presented at this instant (milliseconds since the epoch).
   */
  take(now: number): HeldTicket | undefined;
  /** Replaces whatever was kept. */
  keep(ticket: HeldTicket): void;
  discard(): void;
}

/** Who may present a ticket to whom. */
export interface Audience {
  /** As it was dialled, host and port. */
  readonly gateway: string;
  readonly local: Identity;
  /** Undefined: any identity that proves the key. */
  readonly remote: Identity | undefined;
  /** How we authenticate, in words (`provenBy`): sessions of other credentials are not ours to resume. */
  readonly provenBy: string;
  /** required: nor sessions whose keys a quantum computer breaks. */
  readonly postQuantum: 'any' | 'required';
  /** A ticket brings its algorithms; what is not proposed any more must not come back by one. */
  readonly algorithms: Algorithms;
}

export interface KeptTicket {
  readonly ticket: HeldTicket;
  /** As it was dialled. */
  readonly gateway: string;
  readonly provenBy: string;
}

/** Lives as long as the process. */
export class TicketMemory implements TicketStore {
  #ticket: HeldTicket | undefined;

  take(now: number): HeldTicket | undefined {
    const ticket = this.#ticket;
    this.#ticket = undefined;
    return ticket && isFresh(ticket, now) ? ticket : undefined;
  }

  keep(ticket: HeldTicket): void {
    this.#ticket = ticket;
  }

  discard(): void {
    this.#ticket = undefined;
  }
}

/** RFC 5723 §4.3.1: a ticket is not presented past its lifetime; nor one that would bring a session that must authenticate at once. */
export const isFresh = (ticket: HeldTicket, now: number): boolean => now < ticket.expiresAt && now < ticket.reauthenticateBy;

/** Why a ticket is not for this audience; undefined if it is. */
export function mismatch({ ticket, gateway, provenBy }: KeptTicket, audience: Audience): string | undefined {
  if (gateway !== audience.gateway) return `it is for the gateway ${gateway}`;
  if (!same(ticket.local, audience.local)) return `it belongs to ${formatIdentity(ticket.local)}`;
  if (provenBy !== audience.provenBy) return `it came of other credentials (${provenBy.slice(0, 80)})`;
  if (audience.remote && !same(ticket.remote, audience.remote)) return `it was given by ${formatIdentity(ticket.remote)}`;
  if (audience.postQuantum === 'required' && !ticket.postQuantum) return 'its session is not safe from quantum computers';
  return allows(audience.algorithms, ticket) ? undefined : 'it brings algorithms that are not proposed any more';
}

const same = (a: Identity, b: Identity): boolean => a.idType === b.idType && Buffer.compare(a.data, b.data) === 0;

function allows({ encryption, integrity, prf, keyExchange }: Algorithms, { suite }: HeldTicket): boolean {
  return (
    encryption.some(({ id, keyBits }) => id === suite.encr && keyBits === suite.keyBits) &&
    (suite.integ === 0 || integrity.includes(suite.integ)) &&
    prf.includes(suite.prf) &&
    keyExchange.includes(suite.ke)
  );
}
