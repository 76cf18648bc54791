/**
 * IKE_AUTH (RFC 7296 §1.2, RFC 5723 §4.3.3): both prove who they are, the first child comes to be, a ticket may be given.
 *
 *     HDR, SK {IDi, [CERT+,] [CERTREQ+,] [IDr,] AUTH, [CP(CFG_REQUEST),] SAi2, TSi, TSr, N+}   -->
 *                        <--   HDR, SK {IDr, [CERT+,] AUTH, [CP(CFG_REPLY),] SAr2, TSi, TSr, N+}
 *                  or    <--   HDR, SK {N(AUTHENTICATION_FAILED)}
 *
 * Without AUTH it is EAP that proves the initiator (RFC 7296 §2.16): eap-relay.ts, eap-supplicant.ts.
 */
import { admitSession } from '../admission.ts';
import { authenticate, type Proven, type Who } from '../authentication.ts';
import { authenticationLifetime, lifetimeGiven } from '../authentication-lifetime.ts';
import { concludeChild, madeChild, offerChild, offerPayloads } from '../child.ts';
import { wanting } from '../child-exchange.ts';
import { askForAddresses, assignedAddresses, assignedResolvers } from '../configuration.ts';
import type { Context } from '../context.ts';
import { authenticateEap, openEap } from '../eap-authentication.ts';
import * as eapRelay from '../eap-relay.ts';
import * as eapSupplicant from '../eap-supplicant.ts';
import { ProtocolError } from '../error.ts';
import type { Established } from '../established.ts';
import { childOf, firstChild, refusal, withChild } from '../first-child.ts';
import { answeredHandshake, errorOf, hasUnknownError, type Notifies, nameOfNotify } from '../first-exchange.ts';
import { authenticateByEap, authenticateGateway, introduce, proveOurselves } from '../gateway-authentication.ts';
import { crossedNat, mobilityOf, offersMobility } from '../mobike.ts';
import { mixedByBoth, provenWithPpk } from '../own-post-quantum-key.ts';
import { mixedIn } from '../post-quantum-key.ts';
import { follow, redirected, redirection, redirectTarget } from '../redirect.ts';
import { type Identity, type InPhase, later, NEVER } from '../sa.ts';
import { event, type Output, type Reply, type Step, which } from '../step.ts';
import { inForce, termsOf } from '../terms.ts';
import { type EstablishedSa, grantTicket, keepTicket, ticketRequest } from '../ticket-request.ts';
import { jittered, request as sendRequest } from '../window.ts';
import { notify, type Payload } from '../wire/payload.ts';
import { Exchange, Notify } from '../wire/registry.ts';
import { shape } from '../wire/shape.ts';

const childSlots = { sa: 'SA?', tsi: 'TSi?', tsr: 'TSr?', cp: 'CP?', notifies: 'N*' } as const;
const request = shape({ idI: 'IDi', idR: 'IDr?', cert: 'CERT*', auth: 'AUTH?', ...childSlots });
const response = shape({ idR: 'IDr?', cert: 'CERT*', auth: 'AUTH?', eap: 'EAP?', ...childSlots });
const proven = shape({ auth: 'AUTH', notifies: 'N*' });
type AuthResponse = ReturnType<typeof response>;
export type AuthRequest = ReturnType<typeof request>;

export function initiate(sa: InPhase<'keyed'>, ctx: Context): Step {
  const { phase } = sa;
  const { connection, resumed } = phase;
  const { local, remote, localTraffic, remoteTraffic } = connection;
  const offer = phase.childless
    ? undefined
    : offerChild(sa, { local: localTraffic, remote: remoteTraffic }, { inAuth: true }, ctx);
  const idR = resumed?.remote ?? remote;
  const alone = !resumed && idR !== undefined && ctx.sessionsOf(idR).length === 0;
  const proof = provenWithPpk(phase, (keyed) => proveOurselves(keyed, ctx), ctx);
  const payloads: Payload[] = [
    { kind: 'IDi', ...local },
    ...(idR ? [{ kind: 'IDr', ...idR } as const] : []),
    ...proof.payloads,
    ...askForAddresses(connection, resumed?.inner ?? []),
    ...(offer ? offerPayloads(offer) : []),
    ...(alone ? [notify(Notify.INITIAL_CONTACT)] : []), // RFC 7296 §2.4
    ...ticketRequest(connection.tickets),
    ...offersMobility(phase.nat, connection.mobike),
    ...proof.notifies,
  ];
  return sendRequest({ ...sa, phase: { ...phase, name: 'authSent', offer } as const }, Exchange.IKE_AUTH, payloads, ctx);
}

export function respond(sa: InPhase<'halfOpen'>, payloads: readonly Payload[], ctx: Context): Reply {
  const first = request(payloads);
  // RFC 8784 §3: "the initiator includes a PPK_IDENTITY ... in the request message containing the AUTH payload".
  if (!first.auth && !sa.phase.resumed) return eapRelay.begin(sa, payloads, openEap(sa.phase, first, ctx));
  const { sa: mixed, asked, told } = mixedIn(sa, first, ctx);
  const reply = welcome(mixed, authenticate(mixed.phase, asked, ctx), asked, ctx);
  return { ...reply, payloads: [...(reply.payloads ?? []), ...told] };
}

/** After EAP the proof alone: who we are was said in the first answer, and what is asked for in the first request. */
export function respondProven(sa: InPhase<'eapProven'>, payloads: readonly Payload[], ctx: Context): Reply {
  const { sa: mixed, asked, told } = mixedIn(eapRelay.asBefore(sa), proven(payloads), ctx);
  const { keys, postQuantum } = mixed.phase;
  const who = authenticateEap({ ...sa.phase, keys, postQuantum }, asked.auth, ctx);
  const reply = welcome(mixed, who, request(sa.phase.asked), ctx);
  const answer = (reply.payloads ?? []).filter(({ kind }) => kind !== 'IDr');
  return { ...reply, payloads: [...answer, ...told] };
}

/** The peer has proven who it is: what it asked for in its first IKE_AUTH request is what it gets. */
export function welcome(sa: InPhase<'halfOpen'>, who: Who, asked: AuthRequest, ctx: Context): Reply {
  const elsewhere = sa.phase.redirectable ? redirectTarget(sa.path, ctx) : undefined;
  if (elsewhere) return sentElsewhere(sa, who, elsewhere, ctx);
  const { proven, ...admission } = admitSession(sa, who, asked.notifies, ctx);
  // RFC 4555 §3.9
  if (crossedNat(asked.notifies, sa.path)) throw new ProtocolError('abort', Notify.UNEXPECTED_NAT_DETECTED, 'a NAT on the way');
  const mobility = mobilityOf(asked.notifies, inForce(ctx).config.mobike);
  const established = establish(sa, { ...who, mobility }, ctx);
  const child = firstChild(established, sa.phase.first, asked, { proven, granted: who.granted ?? [] }, ctx);
  const ticket = grantTicket(child.sa, asked.notifies, ctx);
  const answer: Payload[] = [
    { kind: 'IDr', ...who.local },
    ...who.proof,
    ...(mobility ? [notify(Notify.MOBIKE_SUPPORTED)] : []), // RFC 4555 §3.2
    ...child.payloads,
    ...authenticationLifetime(child.sa, ctx),
    ...ticket.payloads,
  ];
  const news = event({
    ...{ name: 'established', kind: who.kind, local: who.local, remote: who.remote, inner: child.sa.phase.inner },
    ...{
      durationMs: ctx.now - sa.phase.since,
      roundTrips: undefined,
      keyExchanges: sa.phase.resumed ? 0 : 1 + (sa.phase.first.intermediate?.exchanges ?? 0),
    },
    ...{ connection: undefined, accounting: who.accounting, authenticatedAt: who.authenticatedAt },
    ...{ postQuantum: who.postQuantum, rule: who.rule.name, resolvers: undefined, ...which(sa) },
  });
  return { sa: ticket.sa, ...admission, payloads: answer, outputs: [news, ...child.outputs, ...ticket.outputs] };
}

/** RFC 5685 §6: both are authenticated; the SA has no child, and ends soon. */
function sentElsewhere(sa: InPhase<'halfOpen'>, who: Who, to: Identity, ctx: Context): Reply {
  const bare = establish(sa, { ...who, mobility: undefined }, ctx);
  const endsBy = { at: later(ctx.now, AWAY_MS), why: 'redirected' } as const;
  const established = { ...bare, phase: { ...bare.phase, endsBy } };
  const payloads = [{ kind: 'IDr', ...who.local } as const, ...who.proof, redirection(to)];
  return { sa: established, payloads, outputs: [redirected(to, sa)] };
}
/** By then a client that was sent elsewhere has deleted the SA, or never will. */
const AWAY_MS = 10_000;

/** `sa` is halfOpen or authSent; nothing of its handshake is kept. */
function establish(
  sa: InPhase<'halfOpen' | 'authSent'>,
  who: Proven & Pick<Established, 'mobility'>,
  ctx: Context,
): EstablishedSa {
  const { suite, keys, nat, fragmentation } = sa.phase;
  const { kind, local, remote, credential, authenticatedAt, reauthenticateBy, accounting, postQuantum, mobility } = who;
  const phase: Established = {
    ...{ name: 'established', suite, keys, nat, fragmentation },
    ...{ kind, local, remote, credential, authenticatedAt, reauthenticateBy, mobility, since: ctx.now, heardAt: ctx.now },
    ...{ accounting, postQuantum, rekeyAt: NEVER },
    resumptionForm: sa.phase.name === 'authSent' ? sa.phase.resumptionForm : 'rfc',
    redirectable: sa.phase.name === 'halfOpen' && sa.phase.redirectable,
    ...{
      children: [],
      inner: [],
      replaces: replaced(sa),
      ticketId: undefined,
      endsBy: undefined,
      childAgain: undefined,
      awaited: undefined,
      exchange: undefined,
      wanted: [],
    },
  };
  const established = { ...sa, phase };
  return { ...sa, phase: { ...phase, rekeyAt: jittered(termsOf(established, ctx).rekeyMs, ctx, NEVER) } };
}

const replaced = ({ phase }: InPhase<'halfOpen' | 'authSent'>): Established['replaces'] =>
  phase.name === 'halfOpen' && phase.resumed ? { spiR: phase.resumed.spiR, pod: phase.resumed.pod } : undefined;

export function conclude(sa: InPhase<'authSent'>, payloads: readonly Payload[], ctx: Context): Step {
  const { phase } = sa;
  const answer = response(payloads);
  const { idR, auth, eap, cert, notifies } = answer;
  if (!idR || !(auth || eap)) return refusedByPeer(sa, notifies);
  if (eap) return eapSupplicant.begin(sa, eap, introduce(phase, { idR, auth, cert }, ctx), ctx);
  if (!auth) return refusedByPeer(sa, notifies);
  const mixed = mixedByBoth(sa, notifies, ctx);
  return enter(mixed, authenticateGateway(mixed.phase, { idR, auth, cert }, ctx), answer, ctx);
}

/** The gateway's next packet of EAP. */
export function concludeEap(sa: InPhase<'eapSaid'>, payloads: readonly Payload[], ctx: Context): Step {
  const { eap, notifies } = response(payloads);
  return eap ? eapSupplicant.carry(sa, eap, ctx) : refusedByPeer(eapSupplicant.asBefore(sa), notifies);
}

/** The gateway's proof by the key of EAP. */
export function concludeProven(sa: InPhase<'eapAuthSent'>, payloads: readonly Payload[], ctx: Context): Step {
  const answer = response(payloads);
  if (!answer.auth) return refusedByPeer(eapSupplicant.asBefore(sa), answer.notifies);
  const mixed = mixedByBoth(sa, answer.notifies, ctx);
  return enter(eapSupplicant.asBefore(mixed), authenticateByEap(mixed.phase, answer.auth, ctx), answer, ctx);
}

/** The gateway has proven who it is. */
function enter(sa: InPhase<'authSent'>, proven: Proven, answer: AuthResponse, ctx: Context): Step {
  const { phase } = sa;
  const { notifies } = answer;
  const who = lifetimeGiven(proven, notifies, ctx);
  const inner = assignedAddresses(answer.cp);
  const mobility = mobilityOf(notifies, phase.connection.mobike);
  const bare = establish(sa, { ...who, mobility }, ctx);
  // RFC 5685 §6: only now that the gateway has proved itself; the SA with it is deleted.
  const away = follow(sa, notifies);
  if (away) return { sa: wanting(bare, { kind: 'deleteIke' }), outputs: [away] };
  const addressed: EstablishedSa = { ...bare, phase: { ...bare.phase, inner } };
  const asked = hasUnknownError(notifies) ? undefined : childOf(answer);
  const child =
    asked && phase.offer
      ? withChild(addressed, madeChild(addressed, concludeChild(phase.offer, asked, phase.first, ctx), [], ctx))
      : noChild(addressed, notifies);
  const { connection } = phase;
  const { began, roundTrips, keyExchanges } = answeredHandshake(phase.handshake);
  const news = event({
    ...{ name: 'established', kind: who.kind, local: who.local, remote: who.remote, inner, durationMs: ctx.now - began },
    ...{ roundTrips, keyExchanges, postQuantum: who.postQuantum, connection: connection.name, rule: undefined },
    ...{ accounting: undefined, authenticatedAt: who.authenticatedAt },
    ...{ resolvers: assignedResolvers(answer.cp), ...which(sa) },
  });
  return { sa: child.sa, outputs: [news, ...child.outputs, ...keepTicket(child.sa, notifies, ctx)] };
}

/** The gateway made the IKE SA but not the child; whoever runs the client decides what that is worth. */
function noChild(sa: EstablishedSa, notifies: Notifies): { sa: EstablishedSa; outputs: Output[] } {
  const error = errorOf(notifies);
  return { sa, outputs: error ? [refusal(sa, 'peer', { refused: error.notify, reason: 'the gateway refuses the child' })] : [] };
}

/** No proof in the answer. After a resumption the ticket is void and a full exchange follows. */
function refusedByPeer(sa: InPhase<'authSent'>, notifies: Notifies): Step {
  const { connection, resumed, handshake } = sa.phase;
  const name = nameOfNotify(errorOf(notifies)?.notify ?? Notify.AUTHENTICATION_FAILED);
  const refused = event({
    name: 'refused',
    by: 'peer',
    exchange: 'IKE_AUTH',
    notify: name,
    reason: 'the gateway refuses us',
    ...which(sa),
  });
  if (!resumed) return { sa: undefined, closes: 'authentication failed', outputs: [refused] };
  const forgotten = event({ name: 'ticket-void', connection: connection.name, why: `refused: ${name}` });
  return { sa: undefined, outputs: [refused, forgotten], begin: { connection, handshake: answeredHandshake(handshake) } };
}
