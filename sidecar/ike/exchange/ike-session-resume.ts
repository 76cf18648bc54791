/**
 * IKE_SESSION_RESUME (RFC 5723 §4.3.2): a ticket and two nonces instead of algorithms and a Diffie-Hellman.
 *
 *     HDR, [N(COOKIE),] Ni, N(TICKET_OPAQUE), N+   -->
 *                                                  <--   HDR, Nr, N+
 *                                            or    <--   HDR, N(COOKIE) | N(TICKET_NACK)
 */
import type { Connection, HeldTicket } from '../connection.ts';
import type { Context } from '../context.ts';
import { parseEndpoint } from '../endpoint.ts';
import { ProtocolError } from '../error.ts';
import { concludeKeyed, respondHalfOpen, sendFirst } from '../first-agreement.ts';
import {
  admit,
  answeredHandshake,
  capabilities,
  demandCookie,
  errorOf,
  findNotify,
  MAX_RETRIES,
  NONCE_BYTES,
  type Notifies,
  nameOfNotify,
  newHandshake,
  respondInClear,
  supportsNatTraversal,
  withCookie,
} from '../first-exchange.ts';
import type { ResumeSent } from '../handshake-phase.ts';
import { followFirst, redirectFirst, redirectOffer } from '../redirect.ts';
import type { InPhase, Path } from '../sa.ts';
import { event, type Output, type Step, type TicketRefusal } from '../step.ts';
import { inForce } from '../terms.ts';
import { type OpenedTicket, openTicket, refusalByPolicy } from '../ticket.ts';
import type { Bytes } from '../wire/bytes.ts';
import { type Message, NO_SPI } from '../wire/message.ts';
import { notify, type Payload } from '../wire/payload.ts';
import { Exchange, Notify } from '../wire/registry.ts';
import { shape } from '../wire/shape.ts';

// libreswan sends nothing but these, so nothing more is required.
const request = shape({ nonce: 'NONCE', notifies: 'N*' });
const response = shape({ nonce: 'NONCE?', notifies: 'N*' });

export function initiate(connection: Connection, ticket: HeldTicket, ctx: Context): Step {
  const spiI = ctx.newIkeSpi();
  const nonce = ctx.random(NONCE_BYTES);
  const payloads: Payload[] = [
    { kind: 'NONCE', data: nonce },
    notify(Notify.TICKET_OPAQUE, ticket.ticket),
    ...capabilities(spiI, NO_SPI, connection.path, connection.forceEncapsulation, ctx),
    ...redirectOffer(connection),
  ];
  const phase = { name: 'resumeSent', connection, ticket, handshake: newHandshake(ctx), nonce, retries: 0 } as const;
  return sendFirst(Exchange.IKE_SESSION_RESUME, spiI, phase, payloads, ctx);
}

export function respond(message: Message, datagram: Bytes, path: Path, ctx: Context): Step {
  const { nonce, notifies } = request(message.payloads);
  const ticket = findNotify(notifies, Notify.TICKET_OPAQUE);
  if (!ticket) throw ProtocolError.malformed('IKE_SESSION_RESUME without TICKET_OPAQUE');
  // RFC 5723 §9.3: cookies come first, and nothing is kept before the ticket has verified.
  const demand = demandCookie(message, nonce.data, notifies, path, ctx);
  if (demand) return demand;
  const elsewhere = redirectFirst(message, nonce.data, notifies, path, ctx);
  if (elsewhere) return elsewhere;
  admit(path, ctx);
  const opened = redeem(ticket.data, ctx);
  if (!opened.refused && leadsToPlainEsp(notifies, path, ctx))
    return refuse({ refused: 'policy', keyId: opened.keyId }, message, path);
  if (opened.refused) return refuse(opened, message, path);
  const { suite, skD } = opened.state; // RFC 5723 §5: algorithms and SK_d from the ticket
  const agreement = { suite, additional: [], secret: { from: 'resumption', oldD: skD }, resumed: opened.state } as const;
  const accepted = respondHalfOpen({ message, datagram, nonce: nonce.data, notifies }, path, agreement, [], ctx);
  return { ...accepted, outputs: [...accepted.outputs, event({ name: 'ticket-opened', keyId: opened.keyId, path })] };
}

/** RFC 7296 §2.23: who does not ask about NATs uses protocol 50, which not every data plane carries. On port 4500 it is UDP all the same. */
function leadsToPlainEsp(notifies: Notifies, path: Path, ctx: Context): boolean {
  const { tickets, listen } = inForce(ctx).config;
  if (tickets.withoutNatDetection === 'accept' || supportsNatTraversal(notifies)) return false;
  return parseEndpoint(path.local).port !== listen.natPort;
}

function redeem(ticket: Bytes, ctx: Context): OpenedTicket {
  const policy = inForce(ctx);
  const { config, ring } = policy;
  if (!config.tickets.enabled) return { refused: 'disabled', keyId: undefined };
  const opened = openTicket({ ring, crypto: ctx.crypto, audience: config.audience, now: ctx.now }, ticket);
  if (opened.refused) return opened;
  const refused = refusalByPolicy(opened.state, policy, ctx);
  return refused ? { refused, keyId: opened.keyId } : opened;
}

/** RFC 5723 §4.3.2: an unprotected TICKET_NACK, for any reason and without telling which. */
function refuse({ refused, keyId }: Extract<OpenedTicket, { refused: TicketRefusal }>, message: Message, path: Path): Step {
  const nack: Output = respondInClear(message, [notify(Notify.TICKET_NACK)], path);
  return { sa: undefined, outputs: [nack, event({ name: 'ticket-refused', reason: refused, keyId, path })] };
}

export function conclude(sa: InPhase<'resumeSent'>, message: Message, datagram: Bytes, ctx: Context): Step {
  const { phase } = sa;
  const { nonce, notifies } = response(message.payloads);
  if (!nonce) return again(sa, notifies, ctx);
  const { ticket, connection } = phase;
  // A data plane that lives in UDP would get nothing from a gateway that resumes in plain ESP (libreswan): after a full exchange it does.
  if (connection.forceEncapsulation && !supportsNatTraversal(notifies))
    return fullInstead(phase, 'resumed without NAT traversal');
  const { suite, skD } = ticket;
  const agreement = { suite, additional: [], secret: { from: 'resumption', oldD: skD }, resumed: ticket } as const;
  const first = { message, datagram, nonce: nonce.data, notifies, resumptionForm: ticket.form };
  return concludeKeyed(sa, first, agreement, ctx);
}

/** No nonce in the answer: a cookie to bring back, or the ticket is refused and a full exchange follows (RFC 5723 §4.3.2). */
function again(sa: InPhase<'resumeSent'>, notifies: Notifies, ctx: Context): Step {
  const { phase, spiI } = sa;
  const elsewhere = followFirst(sa, phase, notifies);
  if (elsewhere) return elsewhere;
  const handshake = answeredHandshake(phase.handshake);
  const cookie = findNotify(notifies, Notify.COOKIE);
  if (cookie && phase.retries < MAX_RETRIES) {
    const retry = { ...phase, retries: phase.retries + 1, handshake };
    return sendFirst(Exchange.IKE_SESSION_RESUME, spiI, retry, withCookie(phase.request, cookie.data), ctx);
  }
  const error = findNotify(notifies, Notify.TICKET_NACK) ?? errorOf(notifies);
  if (!error) throw ProtocolError.malformed('an IKE_SESSION_RESUME response without Nr, cookie or refusal');
  return fullInstead(phase, `refused: ${nameOfNotify(error.notify)}`);
}

function fullInstead({ connection, handshake }: ResumeSent, why: string): Step {
  const spent = event({ name: 'ticket-void', connection: connection.name, why });
  return { sa: undefined, outputs: [spent], begin: { connection, handshake: answeredHandshake(handshake) } };
}
