/**
 * The IKE SA anew (RFC 7296 §1.3.2, §2.18), and both sides at once (§2.8.2). The new SA inherits the children.
 *
 *     HDR, SK {SA, Ni, KEi, [N(TICKET_REQUEST)]}   -->
 *                                                  <--   HDR, SK {SA, Nr, KEr, [N(TICKET_LT_OPAQUE)]}
 *     HDR, SK {D(IKE)}                             -->
 */
import { keyExchangeOf } from '../algorithms.ts';
import { type ChildAnswer, lowerNonce, otherGroup, refusedBy, retryAt, wanting, withChildren } from '../child-exchange.ts';
import type { Context } from '../context.ts';
import { ikeKeys } from '../crypto/keymat.ts';
import { ProtocolError } from '../error.ts';
import type { Established, IkeAgreement, IkeOffer, Intent, OwnExchange } from '../established.ts';
import { findNotify, NONCE_BYTES, type Notifies } from '../first-exchange.ts';
import { awaitFollowup, demandLink, initiateFollowup } from '../followup.ts';
import { acceptedIkeRekey, chooseIke, demandKe, ikeProposals } from '../proposal.ts';
import { type IkeSa, type InPhase, inPhase, later, NEVER, ownSpi } from '../sa.ts';
import { event, type Output, type Reply, type Step, which } from '../step.ts';
import { inherit, retire, wantTicket, yieldTo } from '../succession.ts';
import { termsOf } from '../terms.ts';
import { type EstablishedSa, grantTicket, keepTicket, ticketRequest, voidTicket } from '../ticket-request.ts';
import { jittered, rekeyedWindow, request as sendRequest } from '../window.ts';
import { type Bytes, equalBytes, unhex } from '../wire/bytes.ts';
import { notify, type Payload, type PayloadOf } from '../wire/payload.ts';
import { Exchange, Notify } from '../wire/registry.ts';
import * as informational from './informational.ts';

type Rekeying = Extract<OwnExchange, { kind: 'rekeyIke' }>;

export function initiate(sa: InPhase<'established'>, { group }: Extract<Intent, { kind: 'rekeyIke' }>, ctx: Context): Step {
  const { ike } = termsOf(sa, ctx);
  const { ke: former } = sa.phase.suite;
  // A group that is not offered any more cannot be sent either.
  const id = group ?? (ike.keyExchange.includes(former) ? former : (ike.keyExchange[0] ?? former));
  const ke = { id, ...keyExchangeOf(ctx.crypto, id).generate(ctx.random) };
  const offer: IkeOffer = { spi: ctx.newIkeSpi(), nonce: ctx.random(NONCE_BYTES), ke };
  const phase = { ...sa.phase, exchange: { kind: 'rekeyIke', offer, rival: undefined } as const };
  const payloads = [
    { kind: 'SA', proposals: ikeProposals(ike, { spi: unhex(offer.spi), additional: sa.phase.postQuantum }) } as const,
    { kind: 'NONCE', data: offer.nonce } as const,
    { kind: 'KE', group: id, data: ke.publicValue } as const,
    ...ticketRequest(sa.connection?.tickets ?? false), // RFC 5723 §4.1: only a client asks
  ];
  return sendRequest({ ...sa, phase }, Exchange.CREATE_CHILD_SA, payloads, ctx);
}

interface Asked {
  readonly sa: PayloadOf<'SA'>;
  readonly nonce: PayloadOf<'NONCE'>;
  readonly ke: PayloadOf<'KE'> | undefined;
  readonly notifies: Notifies;
}

export function respond(sa: InPhase<'established'>, asked: Asked, ctx: Context): Reply {
  const { exchange } = sa.phase;
  // RFC 7296 §2.25.2: one rival is enough; more would be SAs without end.
  if (exchange?.kind === 'rekeyIke' && exchange.rival)
    throw new ProtocolError('refuse', Notify.TEMPORARY_FAILURE, 'the IKE SA is being rekeyed by both sides already');
  const chosen = chooseIke(asked.sa.proposals, termsOf(sa, ctx).ike, asked.ke?.group);
  if (chosen?.proposal.spi.length !== 8)
    throw new ProtocolError('refuse', Notify.NO_PROPOSAL_CHOSEN, 'no proposal that we accept');
  const { suite } = chosen;
  const ke = demandKe(suite.ke, asked.ke);
  const { publicValue, shared } = keyExchangeOf(ctx.crypto, suite.ke).respond(ke.data, ctx.random);
  const spiI = chosen.peerSpi;
  const spiR = ctx.newIkeSpi();
  const nr = ctx.random(NONCE_BYTES);
  const ni = asked.nonce.data;
  const { additional } = chosen;
  const agreement: IkeAgreement = { role: 'responder', suite, additional, spiI, spiR, ni, nr, shared };
  const answer: Payload[] = [
    { kind: 'SA', proposals: [{ ...chosen.proposal, spi: unhex(spiR) }] },
    { kind: 'NONCE', data: nr },
    { kind: 'KE', group: suite.ke, data: publicValue },
  ];
  if (additional.length > 0) {
    // Which of two that cross stays is decided by nonces; with exchanges to follow, whoever asks second asks again.
    if (exchange?.kind === 'rekeyIke') throw new ProtocolError('refuse', Notify.TEMPORARY_FAILURE, 'the IKE SA is being rekeyed');
    // RFC 5723 §4.2: not now, since the keys are not there; the client asks again.
    const later = findNotify(asked.notifies, Notify.TICKET_REQUEST) ? [notify(Notify.TICKET_ACK)] : [];
    const of = { kind: 'ike', agreement } as const;
    return awaitFollowup(sa, { of, pending: additional, secrets: [] }, [...answer, ...later], ctx);
  }
  const bare = successor(sa, agreement, [], ctx);
  // RFC 7296 §2.8.2: both rekey at once; the children stay where they are until the nonces have decided.
  const collides = exchange?.kind === 'rekeyIke';
  // What the ticket says of addresses is true whichever SA has them in the end.
  const ticket = grantTicket(withInner(bare, sa.phase.inner), asked.notifies, ctx);
  const heir = collides ? withInner(ticket.sa, []) : wantTicket(inherit(ticket.sa, sa));
  const rival = { spi: ownSpi(bare), lowestNonce: lowerNonce(ni, nr) };
  const old: IkeSa = collides ? { ...sa, phase: { ...sa.phase, exchange: { ...exchange, rival } } } : retire(sa, ctx);
  return {
    ...{ sa: old, born: [heir] },
    payloads: [...answer, ...ticket.payloads],
    outputs: [rekeyed(sa, bare), ...(collides ? [] : voidTicket(sa, 'the IKE SA was rekeyed')), ...ticket.outputs],
  };
}

export function conclude(sa: InPhase<'established'>, exchange: Rekeying, answer: ChildAnswer, ctx: Context): Step {
  if (!answer.sa || !answer.nonce || !answer.ke) return refused(sa, exchange, answer, ctx);
  const { offer, rival } = exchange;
  const { suite, additional, peerSpi } = acceptedIkeRekey(
    answer.sa.proposals,
    ikeProposals(termsOf(sa, ctx).ike, { spi: unhex(offer.spi), additional: sa.phase.postQuantum }),
  );
  if (suite.ke !== offer.ke.id || answer.ke.group !== offer.ke.id)
    throw new ProtocolError('abort', Notify.INVALID_SYNTAX, 'the peer answers a rekey with what was not offered');
  const shared = keyExchangeOf(ctx.crypto, suite.ke).conclude(offer.ke.privateKey, answer.ke.data);
  const [spiI, spiR] = [offer.spi, peerSpi];
  const nonces = { ni: offer.nonce, nr: answer.nonce.data };
  const agreement: IkeAgreement = { role: 'initiator', suite, additional, spiI, spiR, ...nonces, shared };
  if (additional.length > 0) {
    // The peer's own, which is complete, is the one that stays.
    const yielded = yieldTo(rival, sa, ctx);
    if (yielded) return yielded;
    const of = { kind: 'ike', agreement } as const;
    return initiateFollowup(sa, { of, pending: additional, secrets: [], link: demandLink(answer.notifies) }, ctx);
  }
  const bare = successor(sa, agreement, [], ctx);
  const lowest = lowerNonce(offer.nonce, answer.nonce.data);
  // RFC 7296 §2.8.2: the SA with the lowest nonce goes, by its maker; the other inherits the children.
  const lost = rival && equalBytes(lowerNonce(lowest, rival.lowestNonce), lowest) ? yieldTo(rival, sa, ctx) : undefined;
  if (lost) return { ...lost, born: [...lost.born, wanting(bare, { kind: 'deleteIke', why: 'rekeyed' })] };
  const won = replace(sa, inherit(bare, sa), (heir) => keepTicket(heir, answer.notifies, ctx), ctx);
  return { ...won, born: [...(won.born ?? []), ...lostBy(rival, ctx)] };
}

/** The peer's SA that loses: its maker deletes it, and if that does not happen, we do. */
function lostBy(rival: Rekeying['rival'], ctx: Context): IkeSa[] {
  const loser = rival && ctx.find(rival.spi);
  if (!loser || !inPhase(loser, 'established')) return [];
  return [{ ...loser, phase: { ...loser.phase, endsBy: { at: later(ctx.now, LOSER_MS), why: 'rekeyed' } } }];
}
/** Longer than its maker needs in bad weather. */
const LOSER_MS = 10_000;

/** The last further key exchange of ours is done: the new SA takes over, and asks for the ticket that could not be given before. */
export const complete = (sa: InPhase<'established'>, agreement: IkeAgreement, secrets: readonly Bytes[], ctx: Context): Step =>
  replace(sa, wantTicket(inherit(successor(sa, agreement, secrets, ctx), sa)), () => [], ctx);

function replace(
  sa: InPhase<'established'>,
  heir: EstablishedSa,
  tickets: (heir: EstablishedSa) => Output[],
  ctx: Context,
): Step {
  const kept = [...voidTicket(sa, 'the IKE SA was rekeyed'), ...tickets(heir)];
  const end = informational.initiateEnd(withChildren(sa, []), 'rekeyed', ctx);
  return { sa: end.sa, born: [heir], outputs: [rekeyed(sa, heir), ...kept, ...end.outputs] };
}

/** The same of the peer, which deletes the old SA itself. */
export function completeResponse(
  sa: InPhase<'established'>,
  agreement: IkeAgreement,
  secrets: readonly Bytes[],
  ctx: Context,
): Step {
  const bare = successor(sa, agreement, secrets, ctx);
  const heir = wantTicket(inherit(bare, sa));
  return { sa: retire(sa, ctx), born: [heir], outputs: [rekeyed(sa, bare), ...voidTicket(sa, 'the IKE SA was rekeyed')] };
}

function refused(sa: InPhase<'established'>, { offer, rival }: Rekeying, { notifies }: ChildAnswer, ctx: Context): Step {
  const outputs: Output[] = [refusedBy(sa, notifies)];
  const group = otherGroup(notifies, offer.ke.id, termsOf(sa, ctx).ike.keyExchange);
  if (group !== undefined) return { sa: wanting(sa, { kind: 'rekeyIke', group }), outputs };
  // Our own attempt came to nothing, so the peer's is the new SA.
  const yielded = yieldTo(rival, sa, ctx);
  if (yielded) return { ...yielded, outputs: [...outputs, ...yielded.outputs] };
  return { sa: { ...sa, phase: { ...sa.phase, rekeyAt: retryAt(ctx) } }, outputs };
}

const withInner = (sa: EstablishedSa, inner: Established['inner']): EstablishedSa => ({ ...sa, phase: { ...sa.phase, inner } });

function successor(
  sa: EstablishedSa,
  { role, spiI, spiR, suite, additional, shared, ni, nr }: IkeAgreement,
  further: readonly Bytes[],
  ctx: Context,
): EstablishedSa {
  const keys = ikeKeys(ctx.crypto, suite, { ...lineage(sa), shared, further, ni, nr, spiI, spiR });
  const added = [suite.ke, ...additional].some((method) => keyExchangeOf(ctx.crypto, method).postQuantum);
  const phase: Established = {
    ...sa.phase,
    ...{ suite, keys, rekeyAt: jittered(termsOf(sa, ctx).rekeyMs, ctx, NEVER), heardAt: ctx.now },
    // What the old keys came of is in the new ones.
    postQuantum: sa.phase.postQuantum || added,
    ...{
      children: [],
      inner: [],
      ticketId: undefined,
      childAgain: undefined,
      awaited: undefined,
      exchange: undefined,
      wanted: [],
    },
  };
  return { role, spiI, spiR, path: sa.path, window: rekeyedWindow(), connection: sa.connection, phase };
}

const lineage = ({ phase }: EstablishedSa) => ({ from: 'rekey', oldD: phase.keys.d, oldPrf: phase.suite.prf }) as const;

const rekeyed = (old: IkeSa, { spiI, spiR }: Pick<IkeSa, 'spiI' | 'spiR'>): Output =>
  event({ name: 'ike-rekeyed', newSpiI: spiI, newSpiR: spiR, ...which(old) });
