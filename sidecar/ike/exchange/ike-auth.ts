/**
 * IKE_AUTH (RFC 7296 §1.2, RFC 5723 §4.3.3): both prove who they are, the first child comes to be, a ticket may be given.
 *
 *     HDR, SK {IDi, [IDr,] AUTH, [CP(CFG_REQUEST),] SAi2, TSi, TSr, N+}   -->
 *                                 <--   HDR, SK {IDr, AUTH, [CP(CFG_REPLY),] SAr2, TSi, TSr, N+}
 *                           or    <--   HDR, SK {N(AUTHENTICATION_FAILED)}
 */
import { proves, resumptionAuth, sharedKeyAuth } from '../auth.ts';
import { authenticate, failed, SHARED_KEY, type Who } from '../authentication.ts';
import {
  type AskedChild,
  acceptChild,
  type Child,
  concludeChild,
  install,
  offerChild,
  offerPayloads,
  trafficOf,
} from '../child.ts';
import { askForAddresses, assignAddresses, assignedAddresses } from '../configuration.ts';
import type { Connection } from '../connection.ts';
import type { Context } from '../context.ts';
import { ProtocolError } from '../error.ts';
import {
  answeredHandshake,
  errorOf,
  findNotify,
  hasUnknownError,
  type Notifies,
  nameOfNotify,
  SESSION_LIMIT,
} from '../first-exchange.ts';
import { crossedNat, mobilityOf, offersMobility } from '../mobike.ts';
import { type Established, type FirstMessages, type IkeSa, type InPhase, later, NEVER, ownSpi } from '../sa.ts';
import { event, type Output, type Reply, type Step, which } from '../step.ts';
import { inForce, termsOf } from '../terms.ts';
import { type EstablishedSa, grantTicket, keepTicket, sameIdentity, ticketRequest } from '../ticket-request.ts';
import { jittered, request as sendRequest } from '../window.ts';
import { type Bytes, equalBytes } from '../wire/bytes.ts';
import { notify, type Payload } from '../wire/payload.ts';
import { AuthMethod, Exchange, Notify } from '../wire/registry.ts';
import { shape } from '../wire/shape.ts';

const childSlots = { sa: 'SA?', tsi: 'TSi?', tsr: 'TSr?', cp: 'CP?', notifies: 'N*' } as const;
const request = shape({ idI: 'IDi', idR: 'IDr?', cert: 'CERT*', auth: 'AUTH?', ...childSlots });
const response = shape({ idR: 'IDr?', auth: 'AUTH?', ...childSlots });
type Request = ReturnType<typeof request>;

export function initiate(sa: InPhase<'keyed'>, ctx: Context): Step {
  const { phase } = sa;
  const { connection, resumed } = phase;
  const { local, remote, localTraffic, remoteTraffic } = connection;
  const offer = offerChild(sa, { local: localTraffic, remote: remoteTraffic }, { inAuth: true }, ctx);
  const idR = resumed?.remote ?? remote;
  const proof = resumed
    ? resumptionAuth(phase, 'initiator', local, ctx)
    : sharedKeyAuth(phase, 'initiator', local, secretOf(connection), ctx);
  const alone = !resumed && idR !== undefined && ctx.sessionsOf(idR).length === 0;
  const payloads: Payload[] = [
    { kind: 'IDi', ...local },
    ...(idR ? [{ kind: 'IDr', ...idR } as const] : []),
    { kind: 'AUTH', method: AuthMethod.SHARED_KEY, data: proof },
    ...askForAddresses(connection, resumed?.inner ?? []),
    ...offerPayloads(offer),
    ...(alone ? [notify(Notify.INITIAL_CONTACT)] : []), // RFC 7296 §2.4
    ...ticketRequest(connection.tickets),
    ...offersMobility(phase.nat, connection.mobike),
  ];
  return sendRequest({ ...sa, phase: { ...phase, name: 'authSent', offer } as const }, Exchange.IKE_AUTH, payloads, ctx);
}

export function respond(sa: InPhase<'halfOpen'>, payloads: readonly Payload[], ctx: Context): Reply {
  const asked = request(payloads);
  const who = authenticate(sa.phase, asked, ctx);
  const { ends, proven } = supersedes(sa, who, asked.notifies, ctx);
  // Here, where it is known which sessions go for this one.
  if (ctx.sessions - ends.length >= inForce(ctx).config.ike.maxSessions)
    throw new ProtocolError('abort', Notify.TEMPORARY_FAILURE, SESSION_LIMIT);
  // RFC 4555 §3.9
  if (crossedNat(asked.notifies, sa.path)) throw new ProtocolError('abort', Notify.UNEXPECTED_NAT_DETECTED, 'a NAT on the way');
  const mobility = mobilityOf(asked.notifies);
  const established = establish(sa, { ...who, mobility }, ctx);
  const child = firstChild(established, sa.phase.first, asked, proven, ctx);
  const ticket = grantTicket(child.sa, asked.notifies, ctx);
  const answer: Payload[] = [
    { kind: 'IDr', ...who.local },
    { kind: 'AUTH', method: AuthMethod.SHARED_KEY, data: who.proof },
    ...(mobility ? [notify(Notify.MOBIKE_SUPPORTED)] : []), // RFC 4555 §3.2
    ...child.payloads,
    ...ticket.payloads,
  ];
  const news = event({
    ...{ name: 'established', kind: who.kind, local: who.local, remote: who.remote, inner: child.sa.phase.inner },
    ...{ durationMs: ctx.now - sa.phase.since, roundTrips: undefined, keyExchanges: sa.phase.resumed ? 0 : 1 },
    ...{ connection: undefined, accounting: who.accounting, authenticatedAt: who.authenticatedAt, ...which(sa) },
  });
  return { sa: ticket.sa, ends, payloads: answer, outputs: [news, ...child.outputs, ...ticket.outputs] };
}

/** Which SAs of the same peer end without a DELETE, and which inner addresses it may have back. */
function supersedes(
  sa: InPhase<'halfOpen'>,
  who: Who,
  notifies: Notifies,
  ctx: Context,
): { ends: NonNullable<Step['ends']>; proven: readonly Bytes[] } {
  const { resumed } = sa.phase;
  const initialContact = findNotify(notifies, Notify.INITIAL_CONTACT) !== undefined;
  if (!resumed && !initialContact) return { ends: [], proven: [] };
  const others = ctx.sessionsOf(who.remote);
  if (resumed) {
    // RFC 5723 §4.3.4: the old SA goes silently when it is still alive; after a rekey it is known by its addresses.
    const isOld = (one: IkeSa): boolean => one.spiI === resumed.spiI && one.spiR === resumed.spiR;
    const old = others.filter((one) => isOld(one) || holdsOneOf(one, resumed.inner));
    return { ends: old.map((one) => ({ spi: ownSpi(one), why: 'superseded by resumption' })), proven: resumed.inner };
  }
  const proven = others.flatMap((one) => (one.phase.name === 'established' ? one.phase.inner : []));
  return { ends: others.map((one) => ({ spi: ownSpi(one), why: 'superseded by initial contact' })), proven };
}

const holdsOneOf = ({ phase }: IkeSa, addresses: readonly Bytes[]): boolean =>
  phase.name === 'established' && phase.inner.some((held) => addresses.some((address) => equalBytes(address, held)));

/** `sa` is halfOpen or authSent; nothing of its handshake is kept. */
function establish(
  sa: InPhase<'halfOpen' | 'authSent'>,
  who: Omit<Who, 'proof'> & Pick<Established, 'mobility'>,
  ctx: Context,
): EstablishedSa {
  const { suite, keys, nat, fragmentation } = sa.phase;
  const { kind, local, remote, credential, authenticatedAt, reauthenticateBy, accounting, postQuantum, mobility } = who;
  const phase: Established = {
    ...{ name: 'established', suite, keys, nat, fragmentation },
    ...{ kind, local, remote, credential, authenticatedAt, reauthenticateBy, mobility, since: ctx.now, heardAt: ctx.now },
    ...{ accounting, postQuantum },
    rekeyAt: jittered(termsOf(sa, ctx).rekeyMs, ctx, NEVER),
    ...{ children: [], inner: [], replaces: replaced(sa), ticketId: undefined, exchange: undefined, wanted: [] },
  };
  return { ...sa, phase };
}

const replaced = ({ phase }: InPhase<'halfOpen' | 'authSent'>): Established['replaces'] =>
  phase.name === 'halfOpen' && phase.resumed ? { spiR: phase.resumed.spiR, pod: phase.resumed.pod } : undefined;

interface FirstChild {
  readonly sa: EstablishedSa;
  readonly payloads: readonly Payload[];
  readonly outputs: readonly Output[];
}

/** RFC 7296 §1.2: when the child fails, the IKE SA is there all the same, and its addresses with it. */
function firstChild(
  sa: EstablishedSa,
  { ni, nr }: FirstMessages,
  asked: Request,
  proven: readonly Bytes[],
  ctx: Context,
): FirstChild {
  const child = childOf(asked);
  if (!child) return { sa, payloads: [], outputs: [] };
  const assigned = assignAddresses(asked.cp, { identity: sa.phase.remote, holder: ownSpi(sa), proven }, ctx);
  if (assigned.failed) {
    const refused = notify(Notify.INTERNAL_ADDRESS_FAILURE);
    return { sa, payloads: [refused], outputs: [event({ name: 'address-refused', remote: sa.phase.remote })] };
  }
  const { inner, reply } = assigned;
  // RFC 7296 §2.19: clients of pools have no address unless they ask for one.
  if (inner.length === 0) {
    const refused = { refused: Notify.FAILED_CP_REQUIRED, reason: 'no inner address was asked for' };
    return { sa, payloads: [notify(refused.refused)], outputs: [refusal(sa, 'us', refused)] };
  }
  const addressed: EstablishedSa = { ...sa, phase: { ...sa.phase, inner } };
  const agreed = acceptChild(addressed, child, trafficOf(addressed, ctx), { ni, nr, inAuth: true }, ctx);
  if ('refused' in agreed)
    return { sa: addressed, payloads: [notify(agreed.refused, agreed.data)], outputs: [refusal(addressed, 'us', agreed)] };
  return { ...withChild(addressed, agreed.child), payloads: [...reply, ...agreed.payloads] };
}

const withChild = (sa: EstablishedSa, child: Child): { sa: EstablishedSa; outputs: Output[] } => ({
  sa: { ...sa, phase: { ...sa.phase, children: [child] } },
  outputs: install(sa, child),
});

const childOf = ({ sa, tsi, tsr }: Pick<Request, 'sa' | 'tsi' | 'tsr'>): AskedChild | undefined =>
  sa && tsi && tsr && { sa, ke: undefined, tsi, tsr };

const refusal = (
  sa: EstablishedSa,
  by: 'us' | 'peer',
  { refused, reason }: { readonly refused: number; readonly reason: string },
): Output => event({ name: 'refused', by, exchange: 'IKE_AUTH', notify: nameOfNotify(refused), reason, ...which(sa) });

export function conclude(sa: InPhase<'authSent'>, payloads: readonly Payload[], ctx: Context): Step {
  const { phase } = sa;
  const answer = response(payloads);
  const { connection, resumed, first } = phase;
  if (!answer.idR || !answer.auth) return refusedByPeer(sa, answer.notifies);
  const remote = { idType: answer.idR.idType, data: answer.idR.data.slice() };
  const expectedIdentity = resumed?.remote ?? connection.remote;
  if (expectedIdentity && !sameIdentity(remote, expectedIdentity))
    throw failed('the gateway has another identity than the one expected');
  const proof = resumed
    ? resumptionAuth(phase, 'responder', remote, ctx)
    : sharedKeyAuth(phase, 'responder', remote, secretOf(connection), ctx);
  if (!proves(proof, answer.auth.data)) throw failed('the gateway does not know the key');
  const who = {
    ...({ kind: resumed ? 'resumed' : 'full', local: connection.local, remote, credential: SHARED_KEY } as const),
    authenticatedAt: resumed?.authenticatedAt ?? ctx.now,
    reauthenticateBy: resumed?.reauthenticateBy ?? later(ctx.now, connection.reauthenticationMs),
    mobility: mobilityOf(answer.notifies, connection.mobike),
    accounting: undefined,
    postQuantum: phase.postQuantum,
  };
  const inner = assignedAddresses(answer.cp);
  const bare = establish(sa, who, ctx);
  const addressed: EstablishedSa = { ...bare, phase: { ...bare.phase, inner } };
  const asked = hasUnknownError(answer.notifies) ? undefined : childOf(answer);
  const child = asked
    ? withChild(addressed, concludeChild(addressed, phase.offer, asked, first, ctx))
    : noChild(addressed, answer.notifies);
  const handshake = answeredHandshake(phase.handshake);
  const news = event({
    ...{ name: 'established', kind: who.kind, local: who.local, remote, inner, durationMs: ctx.now - handshake.began },
    ...{ roundTrips: handshake.roundTrips, keyExchanges: handshake.keyExchanges, connection: connection.name, ...which(sa) },
    ...{ accounting: undefined, authenticatedAt: who.authenticatedAt },
  });
  return { sa: child.sa, outputs: [news, ...child.outputs, ...keepTicket(child.sa, answer.notifies, ctx)] };
}

function secretOf({ authentication }: Connection): Bytes {
  if (authentication.method !== 'psk') throw failed('this way of authentication is to come');
  return authentication.secret;
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
