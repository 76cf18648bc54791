/**
 * INFORMATIONAL (RFC 7296 §1.4): deletes, liveness, tickets asked for later (RFC 5723 §4.1), new addresses of the peer (RFC 4555).
 *
 *     HDR, SK {[N+,] [D+]}   -->
 *                            <--   HDR, SK {[N+,] [D+]}
 */
import { uninstall } from '../child.ts';
import { wanting } from '../child-exchange.ts';
import type { Context } from '../context.ts';
import { ProtocolError } from '../error.ts';
import type { OwnExchange } from '../established.ts';
import { findNotify, type Notifies, nameOfNotify } from '../first-exchange.ts';
import { echoCookie2, locate, natQuestion, noticeNat } from '../mobike.ts';
import { follow, REDIRECT_GRACE_MS, redirected, redirection, redirectTarget } from '../redirect.ts';
import { type IkeSa, type InPhase, type Instant, inPhase, later, type Path } from '../sa.ts';
import { type ClosedWhy, event, type Output, type Reply, type Step, which } from '../step.ts';
import { yieldTo } from '../succession.ts';
import { type EstablishedSa, grantTicket, keepTicket, revokeTicket, ticketRequest, voidTicket } from '../ticket-request.ts';
import { request as sendRequest } from '../window.ts';
import { Reader, u32Bytes } from '../wire/bytes.ts';
import type { Payload, PayloadOf } from '../wire/payload.ts';
import { Exchange, Notify, Protocol } from '../wire/registry.ts';
import { shape } from '../wire/shape.ts';

const body = shape({ deletes: 'D*', notifies: 'N*' });

export function respond(
  sa: InPhase<'established' | 'closing' | 'replaced'>,
  payloads: readonly Payload[],
  ctx: Context,
  from: Path,
): Reply {
  const { deletes, notifies } = body(payloads);
  const fatal = fatalNotify(notifies);
  if (fatal) return { ...endedByError(sa, fatal), payloads: [] };
  // RFC 7296 §1.4.1: deleting the IKE SA deletes its children; the response is empty.
  if (deletes.some(({ protocol }) => protocol === Protocol.IKE)) return { ...endedByPeer(sa, ctx), payloads: [] };
  if (!inPhase(sa, 'established')) return { sa, outputs: [], payloads: echoCookie2(notifies) };
  const away = follow(sa, notifies);
  if (away) return { ...leave(sa), outputs: [away], payloads: echoCookie2(notifies) };
  const located = locate(sa, notifies, from, ctx);
  const removed = deleteChildren(located.sa, deletes.flatMap(espSpis));
  const ticket = grantTicket(removed.sa, notifies, ctx);
  return {
    sa: ticket.sa,
    payloads: [...located.payloads, ...removed.payloads, ...ticket.payloads],
    outputs: [...located.outputs, ...removed.outputs, ...ticket.outputs],
  };
}

/**
 * RFC 5685 §5: the client goes to another gateway, and "SHOULD delete" the SA. With tickets it lets the SA lapse instead, since a
 * DELETE would void the ticket that brings it there at once (RFC 5723 §6.2); the gateway ends it after a while.
 */
const leave = (sa: EstablishedSa): Step =>
  sa.connection?.tickets
    ? { sa: undefined, closes: 'redirected', outputs: [] }
    : { sa: wanting(sa, { kind: 'deleteIke' }), outputs: [] };

/** RFC 7296 §2.21.2: whoever gives up authenticating says so in an exchange of its own. */
export function respondEarly(sa: InPhase<'eapSent' | 'eapProven'>, payloads: readonly Payload[]): Reply {
  const { deletes, notifies } = body(payloads);
  const fatal = fatalNotify(notifies);
  if (fatal) return { ...endedByError(sa, fatal), payloads: [] };
  if (deletes.some(({ protocol }) => protocol === Protocol.IKE))
    return { sa: undefined, closes: 'handshake failed', outputs: [], payloads: [] };
  throw new ProtocolError('abort', Notify.INVALID_SYNTAX, 'INFORMATIONAL in the midst of EAP');
}

/** RFC 7296 §2.21.2, §2.21.3: with these the IKE SA is gone for the peer, without a Delete payload. */
const fatalNotify = (notifies: Notifies): PayloadOf<'N'> | undefined =>
  findNotify(notifies, Notify.AUTHENTICATION_FAILED) ?? findNotify(notifies, Notify.INVALID_SYNTAX);

/** What the peer says to a request of ours, whatever it was, may be the end of it all. */
export function concludeFatal(sa: InPhase<'established'>, payloads: readonly Payload[]): Step | undefined {
  const fatal = fatalNotify(body(payloads).notifies);
  return fatal && endedByError(sa, fatal);
}

function endedByError(sa: IkeSa, { notify }: PayloadOf<'N'>): Step {
  const name = nameOfNotify(notify);
  const refused = { name: 'refused', by: 'peer', exchange: 'INFORMATIONAL', notify: name, reason: 'the peer gives up' } as const;
  const closes = notify === Notify.AUTHENTICATION_FAILED ? 'authentication failed' : 'protocol error';
  return { sa: undefined, closes, outputs: [event({ ...refused, ...which(sa) }), ...voidTicket(sa, `the gateway says ${name}`)] };
}

/** The peer deletes the IKE SA; a ticket of it stays good unless the policy says otherwise. */
function endedByPeer(sa: InPhase<'established' | 'closing' | 'replaced'>, ctx: Context): Step {
  const { phase } = sa;
  // RFC 7296 §2.8.2: the peer is done with the rekey of its own, and does not know yet that we began one too.
  const yielded =
    inPhase(sa, 'established') && sa.phase.exchange?.kind === 'rekeyIke' && yieldTo(sa.phase.exchange.rival, sa, ctx);
  if (yielded) return yielded;
  revokeTicket(sa, ctx);
  // Where two rekeys met, the ticket is of the SA that stays.
  const outputs =
    phase.name === 'established' && phase.endsBy?.why !== 'rekeyed' ? voidTicket(sa, 'the gateway deleted the IKE SA') : [];
  return { sa: undefined, outputs, closes: phase.name === 'replaced' ? 'rekeyed' : 'deleted by peer' };
}

/** RFC 7296 §1.4.1: the peer names its inbound SPIs; we answer with ours of the same pairs, except those that we are deleting ourselves. */
function deleteChildren(
  sa: EstablishedSa,
  peerSpis: readonly number[],
): { sa: EstablishedSa; payloads: Payload[]; outputs: Output[] } {
  const gone = sa.phase.children.filter(({ spiOut }) => peerSpis.includes(spiOut));
  if (gone.length === 0) return { sa, payloads: [], outputs: [] };
  const { exchange } = sa.phase;
  const children = sa.phase.children.filter((child) => !gone.includes(child));
  // RFC 7296 §2.25.1: a child that both sides delete is answered without a Delete payload.
  const told = gone.filter(({ spiIn }) => !(exchange?.kind === 'deleteChild' && exchange.spiIn === spiIn));
  return {
    sa: { ...sa, phase: { ...sa.phase, children } },
    payloads: told.length > 0 ? [deletePayload(told.map(({ spiIn }) => spiIn))] : [],
    outputs: gone.flatMap(({ spiIn }) => uninstall(sa, spiIn)),
  };
}

const espSpis = ({ protocol, spis }: PayloadOf<'D'>): number[] =>
  protocol === Protocol.ESP ? spis.filter(({ length }) => length === 4).map((spi) => new Reader(spi).u32()) : [];

const deletePayload = (spis: readonly number[]): PayloadOf<'D'> => ({
  kind: 'D',
  protocol: Protocol.ESP,
  spis: spis.map(u32Bytes),
});

type Informational = Extract<OwnExchange, { kind: 'liveness' | 'requestTicket' | 'deleteChild' | 'redirect' }>;

export function initiate(sa: EstablishedSa, exchange: Informational, ctx: Context): Step {
  return sendRequest({ ...sa, phase: { ...sa.phase, exchange } }, Exchange.INFORMATIONAL, requestOf(sa, exchange, ctx), ctx);
}

function requestOf(sa: EstablishedSa, exchange: Informational, ctx: Context): Payload[] {
  switch (exchange.kind) {
    case 'liveness':
      return natQuestion(sa, ctx); // RFC 7296 §2.4: otherwise an empty INFORMATIONAL
    case 'requestTicket':
      return ticketRequest(true);
    case 'deleteChild':
      return [deletePayload([exchange.spiIn])];
    case 'redirect': {
      const to = redirectTarget(sa.path, ctx, true);
      return to ? [redirection(to)] : [];
    }
  }
}

/** Sends the client elsewhere, once, if it can follow (RFC 5685 §5). */
export function initiateRedirect(sa: InPhase<'established'>, ctx: Context): Step {
  const to = sa.phase.redirectable && !sa.connection ? redirectTarget(sa.path, ctx, true) : undefined;
  const told = { ...sa, phase: { ...sa.phase, redirectable: false } };
  if (!to) return { sa: told, outputs: [] };
  const step = initiate(told, { kind: 'redirect' }, ctx);
  return { ...step, outputs: [...step.outputs, redirected(to, sa)] };
}

/** RFC 5685 §5: "it should allow sufficient time for the client". */
const endingBy = (sa: InPhase<'established'>, at: Instant): InPhase<'established'> => ({
  ...sa,
  phase: { ...sa.phase, endsBy: { at, why: 'redirected' } },
});

/** Ends the IKE SA: its children stop at once, the SA itself when the peer has answered. */
export function initiateEnd(sa: EstablishedSa, why: ClosedWhy, ctx: Context): Step {
  revokeTicket(sa, ctx);
  const { suite, keys, nat, fragmentation, children, remote } = sa.phase;
  const outputs = children.flatMap(({ spiIn }) => uninstall(sa, spiIn));
  const closing: InPhase<'closing'> = { ...sa, phase: { name: 'closing', suite, keys, nat, fragmentation, remote, why } };
  const sent = sendRequest(closing, Exchange.INFORMATIONAL, [{ kind: 'D', protocol: Protocol.IKE, spis: [] }], ctx);
  return { sa: sent.sa, outputs: [...outputs, ...sent.outputs] };
}

export function conclude(sa: InPhase<'established'>, exchange: Informational, payloads: readonly Payload[], ctx: Context): Step {
  const { notifies } = body(payloads);
  switch (exchange.kind) {
    case 'liveness':
      return { sa: noticeNat(sa, notifies), outputs: [] };
    case 'requestTicket':
      return { sa, outputs: keepTicket(sa, notifies, ctx) };
    case 'deleteChild':
      return deleted(sa, exchange.spiIn);
    case 'redirect':
      return { sa: endingBy(sa, later(ctx.now, REDIRECT_GRACE_MS)), outputs: [] };
  }
}

function deleted(sa: InPhase<'established'>, spiIn: number): Step {
  if (!sa.phase.children.some((child) => child.spiIn === spiIn)) return { sa, outputs: [] };
  const children = sa.phase.children.filter((child) => child.spiIn !== spiIn);
  return { sa: { ...sa, phase: { ...sa.phase, children } }, outputs: uninstall(sa, spiIn) };
}

/** The answer to our own DELETE of the IKE SA. */
export const concludeEnd = ({ phase }: InPhase<'closing'>): Step => ({ sa: undefined, outputs: [], closes: phase.why });
