/** Which handler is whose: the table of phases, exchanges and directions. What is not in it is ignored. */

import type { Connection, HeldTicket } from './connection.ts';
import type { Context } from './context.ts';
import type { EapAnswer } from './eap.ts';
import * as eapRelay from './eap-relay.ts';
import * as eapSupplicant from './eap-supplicant.ts';
import { ProtocolError } from './error.ts';
import type { Intent } from './established.ts';
import * as addressUpdate from './exchange/address-update.ts';
import * as createChildSa from './exchange/create-child-sa.ts';
import * as ikeAuth from './exchange/ike-auth.ts';
import * as ikeFollowupKe from './exchange/ike-followup-ke.ts';
import * as ikeIntermediate from './exchange/ike-intermediate.ts';
import * as ikeSaInit from './exchange/ike-sa-init.ts';
import * as ikeSessionResume from './exchange/ike-session-resume.ts';
import * as informational from './exchange/informational.ts';
import * as newChild from './exchange/new-child.ts';
import * as rekeyChild from './exchange/rekey-child.ts';
import * as rekeyIke from './exchange/rekey-ike.ts';
import { newHandshake } from './first-exchange.ts';
import type { Received } from './intermediate-auth.ts';
import { postponed } from './lost-child.ts';
import type { SecuredSa } from './protection.ts';
import { type IkeSa, type InPhase, inPhase, type Path, type PhaseName } from './sa.ts';
import { event, NOTHING, type Output, type Reply, type Step } from './step.ts';
import { sameIdentity, voidTicket } from './ticket-request.ts';
import type { Bytes } from './wire/bytes.ts';
import type { Message } from './wire/message.ts';
import type { Payload } from './wire/payload.ts';
import { Exchange, Notify } from './wire/registry.ts';

type Respond<P extends PhaseName> = (
  sa: InPhase<P>,
  payloads: readonly Payload[],
  ctx: Context,
  from: Path,
  received: Received,
) => Reply;
type Responders = { readonly [P in PhaseName]?: { readonly [E in Exchange]?: Respond<P> } };

/** Protected requests. */
const responders: Responders = {
  halfOpen: { [Exchange.IKE_INTERMEDIATE]: ikeIntermediate.respond, [Exchange.IKE_AUTH]: afterKeyExchanges },
  eapSent: { [Exchange.IKE_AUTH]: eapRelay.carry, [Exchange.INFORMATIONAL]: informational.respondEarly },
  eapProven: { [Exchange.IKE_AUTH]: ikeAuth.respondProven, [Exchange.INFORMATIONAL]: informational.respondEarly },
  established: {
    [Exchange.IKE_FOLLOWUP_KE]: ikeFollowupKe.respond,
    [Exchange.CREATE_CHILD_SA]: createChildSa.respond,
    [Exchange.INFORMATIONAL]: informational.respond,
  },
  replaced: ending(),
  closing: ending(),
};

function ending() {
  return {
    [Exchange.IKE_FOLLOWUP_KE]: ikeFollowupKe.respondForgotten,
    [Exchange.CREATE_CHILD_SA]: temporaryFailure,
    [Exchange.INFORMATIONAL]: informational.respond,
  };
}

/** RFC 9370 §2.2.2: all that was agreed on takes place before IKE_AUTH. */
function afterKeyExchanges(sa: InPhase<'halfOpen'>, payloads: readonly Payload[], ctx: Context): Reply {
  if (sa.phase.pending.length > 0)
    throw new ProtocolError('abort', Notify.INVALID_SYNTAX, 'IKE_AUTH before a further key exchange');
  return ikeAuth.respond(sa, payloads, ctx);
}

/** RFC 7296 §2.25.2: the IKE SA is being closed. */
function temporaryFailure(): Reply {
  throw createChildSa.busy('the IKE SA is being closed');
}

/** An authentic, complete request that came `from` there. @throws ProtocolError */
export function respond(
  sa: SecuredSa,
  exchange: number,
  payloads: readonly Payload[],
  ctx: Context,
  from: Path,
  received: Received,
): Reply {
  const handler = responders[sa.phase.name]?.[exchange as Exchange] as Respond<PhaseName> | undefined;
  if (!handler) throw new ProtocolError('drop', Notify.INVALID_SYNTAX, UNEXPECTED);
  return handler(sa, payloads, ctx, from, received);
}
export const UNEXPECTED = 'an exchange that does not belong to this phase';

/** A first request, in clear. @throws ProtocolError */
export function respondFirst(message: Message, datagram: Bytes, path: Path, ctx: Context): Step {
  const { respond: first } = message.exchange === Exchange.IKE_SA_INIT ? ikeSaInit : ikeSessionResume;
  const step = first(message, datagram, path, ctx);
  // A cookie or a TICKET_NACK, to an address that anybody may have written there: no more than it cost.
  const answered = step.outputs.reduce((sum, output) => sum + (output.type === 'send' ? output.bytes.length : 0), 0);
  if (!step.sa && answered > datagram.length) throw ProtocolError.malformed('a request too short to be a true one');
  return step;
}

/** The answer to our first request, in clear; the next one follows at once. @throws ProtocolError */
export function concludeFirst(sa: InPhase<'initSent' | 'resumeSent'>, message: Message, datagram: Bytes, ctx: Context): Step {
  const step = inPhase(sa, 'initSent')
    ? ikeSaInit.conclude(sa, message, datagram, ctx)
    : ikeSessionResume.conclude(sa as InPhase<'resumeSent'>, message, datagram, ctx);
  return proceed(step, ctx);
}

/** What comes before the proof of who we are, as long as there is such a thing. */
function proceed(step: Step, ctx: Context): Step {
  if (!step.sa || !inPhase(step.sa, 'keyed')) return step;
  const [method] = step.sa.phase.pending;
  const next = method === undefined ? ikeAuth.initiate(step.sa, ctx) : ikeIntermediate.initiate(step.sa, method, ctx);
  return followedBy(step.outputs, next);
}

/** An authentic, complete response to our request. @throws ProtocolError */
export function conclude(sa: SecuredSa, payloads: readonly Payload[], ctx: Context, received: Received): Step {
  if (inPhase(sa, 'intermediateSent')) return proceed(ikeIntermediate.conclude(sa, payloads, ctx, received), ctx);
  if (inPhase(sa, 'authSent')) return ikeAuth.conclude(sa, payloads, ctx);
  if (inPhase(sa, 'eapSaid')) return ikeAuth.concludeEap(sa, payloads, ctx);
  if (inPhase(sa, 'eapAuthSent')) return ikeAuth.concludeProven(sa, payloads, ctx);
  if (inPhase(sa, 'closing')) return informational.concludeEnd(sa);
  if (!inPhase(sa, 'established') || !sa.phase.exchange) throw new ProtocolError('drop', Notify.INVALID_SYNTAX, UNEXPECTED);
  const fatal = informational.concludeFatal(sa, payloads);
  if (fatal) return fatal;
  const { exchange } = sa.phase;
  const free = { ...sa, phase: { ...sa.phase, exchange: undefined } };
  switch (exchange.kind) {
    case 'newChild':
    case 'rekeyChild':
    case 'rekeyIke':
      return createChildSa.conclude(free, exchange, payloads, ctx);
    case 'followup':
      return ikeFollowupKe.conclude(free, exchange, payloads, ctx);
    case 'updateAddresses':
    case 'verifyPath':
      return addressUpdate.conclude(free, exchange, payloads, ctx);
    default:
      return informational.conclude(free, exchange, payloads, ctx);
  }
}

/** Whoever speaks EAP has answered. @throws ProtocolError */
export const eapAnswered = (sa: InPhase<'eapAsked' | 'eapHeard'>, given: EapAnswer, ctx: Context): Step =>
  inPhase(sa, 'eapAsked') ? eapRelay.answered(sa, given, ctx) : eapSupplicant.answered(sa as InPhase<'eapHeard'>, given, ctx);

/** Begins what is wanted, one exchange at a time (RFC 7296 §2.3: a window of one). */
export function pursue(sa: IkeSa, ctx: Context): Step {
  let step: Step = { sa, outputs: [] };
  while (step.sa && inPhase(step.sa, 'established') && !step.sa.window.sent) {
    const { awaited, wanted } = step.sa.phase;
    const intent = wanted.find((one) => !awaited || !makesSa(one));
    if (!intent) break;
    const next = { ...step.sa, phase: { ...step.sa.phase, wanted: wanted.filter((one) => one !== intent) } };
    step = followedBy(step.outputs, begin(next, intent, ctx));
  }
  return step;
}

/** Not while the peer has not done all the key exchanges of one that it began (RFC 9370 §2.2.4). */
const makesSa = ({ kind }: Intent): boolean => kind === 'newChild' || kind === 'rekeyChild' || kind === 'rekeyIke';

function begin(sa: InPhase<'established'>, intent: Intent, ctx: Context): Step {
  if (!ctx.carrying) {
    const waiting = postponed(sa, intent, ctx);
    if (waiting) return { sa: waiting, outputs: [] };
  }
  switch (intent.kind) {
    case 'newChild':
      return newChild.initiate(sa, intent, ctx);
    case 'rekeyChild':
      return rekeyChild.initiate(sa, intent, ctx);
    case 'rekeyIke':
      return rekeyIke.initiate(sa, intent, ctx);
    case 'deleteIke':
      return followedBy(endsTicket(sa, intent), informational.initiateEnd(sa, intent.why ?? 'deleted', ctx));
    case 'deleteChild':
      return sa.phase.children.some(({ spiIn }) => spiIn === intent.spiIn)
        ? informational.initiate(sa, intent, ctx)
        : { sa, outputs: [] };
    case 'updateAddresses':
    case 'verifyPath':
      return addressUpdate.initiate(sa, intent.kind, ctx);
    case 'redirect':
      return informational.initiateRedirect(sa, ctx);
    case 'disown':
      return informational.initiate(sa, { kind: 'deleteChild', spiIn: intent.spiIn }, ctx);
    default:
      return informational.initiate(sa, intent, ctx);
  }
}

/** RFC 5723 §6.2; but where two rekeys met, the ticket is of the SA that stays. */
const endsTicket = (sa: InPhase<'established'>, { why }: Extract<Intent, { kind: 'deleteIke' }>): readonly Output[] =>
  why === 'rekeyed' ? NOTHING : voidTicket(sa, 'we deleted the IKE SA');

/** A connection begins: with a ticket when there is one. */
export function connect(connection: Connection, ticket: HeldTicket | undefined, ctx: Context): Step {
  const why = ticket && unusable(connection, ticket, ctx);
  if (ticket && !why) return ikeSessionResume.initiate(connection, ticket, ctx);
  const gone = why ? [event({ name: 'ticket-void', connection: connection.name, why })] : NOTHING;
  return followedBy(gone, ikeSaInit.initiate(connection, newHandshake(ctx), ctx));
}

function unusable({ local, remote, ppk, postQuantum }: Connection, ticket: HeldTicket, { now }: Context): string | undefined {
  // RFC 5723 §4.3.1: "A client MUST NOT present a ticket when it knows that the ticket's lifetime has expired."
  if (now >= ticket.expiresAt || now >= ticket.reauthenticateBy) return 'expired';
  if ((postQuantum === 'required' || ppk?.required) && !ticket.postQuantum) return 'not safe from quantum computers';
  // RFC 5723 §4.3.3: both identities are those of the ticket, so with another one it could only fail.
  const isSame = sameIdentity(local, ticket.local) && (!remote || sameIdentity(remote, ticket.remote));
  return isSame ? undefined : 'of another identity';
}

/** The full exchange after a ticket was refused; its round trips count on. */
export const connectAnew = ({ connection, handshake }: NonNullable<Step['begin']>, ctx: Context): Step =>
  ikeSaInit.initiate(connection, handshake, ctx);

const followedBy = (outputs: readonly Output[], step: Step): Step => ({ ...step, outputs: [...outputs, ...step.outputs] });
