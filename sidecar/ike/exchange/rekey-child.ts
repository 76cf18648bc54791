/**
 * A child anew (RFC 7296 §1.3.3, §2.8), and both sides at once (§2.8.1).
 *
 *     HDR, SK {N(REKEY_SA), SA, Ni, [KEi,] TSi, TSr}   -->
 *                                                      <--   HDR, SK {SA, Nr, [KEr,] TSi, TSr}
 *     HDR, SK {D(old)}                                 -->
 */
import { type Child, concludeChild, install, madeChild, offerChild, offerPayloads, uninstall } from '../child.ts';
import {
  agree,
  agreement,
  type ChildAnswer,
  type ChildRequest,
  lowerNonce,
  otherGroup,
  refusedBy,
  retryAt,
  wanting,
  withChildren,
} from '../child-exchange.ts';
import type { Context } from '../context.ts';
import { ProtocolError } from '../error.ts';
import type { Intent, OwnExchange } from '../established.ts';
import { findNotify } from '../first-exchange.ts';
import { awaitFollowup, demandLink, type Followup, initiateFollowup } from '../followup.ts';
import { type InPhase, later } from '../sa.ts';
import { event, type Reply, type Step, which } from '../step.ts';
import { termsOf } from '../terms.ts';
import { request as sendRequest } from '../window.ts';
import { type Bytes, equalBytes, Reader, u32Bytes } from '../wire/bytes.ts';
import { notify } from '../wire/payload.ts';
import { Exchange, Notify, Protocol } from '../wire/registry.ts';

/** How long the maker of a newer child has to delete the older one, before we do. */
const REPLACED_MS = 60_000;
type Rekeying = Extract<OwnExchange, { kind: 'rekeyChild' }>;

export function initiate(
  sa: InPhase<'established'>,
  { spiIn, group }: Extract<Intent, { kind: 'rekeyChild' }>,
  ctx: Context,
): Step {
  const old = sa.phase.children.find((child) => child.spiIn === spiIn);
  if (!old || old.replacedUntil) return { sa, outputs: [] };
  const offer = offerChild(sa, { local: old.local, remote: old.remote }, { inAuth: false, ...(group ? { group } : {}) }, ctx);
  const phase = { ...sa.phase, exchange: { kind: 'rekeyChild', old: spiIn, offer, rival: undefined } as const };
  // RFC 7296 §1.3.3: the SPI of N(REKEY_SA) is the one that the sender expects in inbound packets.
  const rekeySa = notify(Notify.REKEY_SA, undefined, { protocol: Protocol.ESP, spi: u32Bytes(spiIn) });
  return sendRequest({ ...sa, phase }, Exchange.CREATE_CHILD_SA, [rekeySa, ...offerPayloads(offer)], ctx);
}

export function respond(sa: InPhase<'established'>, asked: ChildRequest, spi: Bytes, ctx: Context): Reply {
  const old = sa.phase.children.find(({ spiOut }) => spi.length === 4 && spiOut === new Reader(spi).u32());
  if (!old) return { sa, outputs: [], payloads: [notify(Notify.CHILD_SA_NOT_FOUND, undefined, { protocol: Protocol.ESP, spi })] };
  const { exchange } = sa.phase;
  // RFC 7296 §2.25.1: a child that we are closing, or one that a newer child has replaced, is not to be rekeyed.
  if ((exchange?.kind === 'deleteChild' && exchange.spiIn === old.spiIn) || old.replacedUntil)
    throw new ProtocolError('refuse', Notify.TEMPORARY_FAILURE, 'the child is being deleted');
  // RFC 7296 §2.9.2: not "narrower than the scope currently in use", whatever the policy has become.
  const { agreement: agreed, payloads, nr } = agree(sa, asked, old, ctx);
  const { additional: pending } = agreed;
  if (pending.length > 0) {
    // Which of two that cross stays is decided by nonces; with exchanges to follow, whoever asks second asks again.
    if (exchange?.kind === 'rekeyChild' && exchange.old === old.spiIn)
      throw new ProtocolError('refuse', Notify.TEMPORARY_FAILURE, 'the child is being rekeyed');
    return awaitFollowup(sa, { of: { kind: 'child', old: old.spiIn, agreement: agreed }, pending, secrets: [] }, payloads, ctx);
  }
  const child = madeChild(sa, agreed, [], ctx);
  const next = withChildren(sa, [...sa.phase.children.map((one) => (one === old ? replaced(old, ctx) : one)), child]);
  // RFC 7296 §2.8.1: both rekey the same child; the nonces decide when our own answer is there.
  const collides = exchange?.kind === 'rekeyChild' && exchange.old === old.spiIn;
  const rival = { spi: child.spiIn, lowestNonce: lowerNonce(asked.nonce.data, nr) };
  const noted = collides ? { ...next, phase: { ...next.phase, exchange: { ...exchange, rival } } } : next;
  return { sa: noted, payloads, outputs: [...install(noted, child, old.spiIn), rekeyed(sa, child)] };
}

export function conclude(sa: InPhase<'established'>, exchange: Rekeying, answer: ChildAnswer, ctx: Context): Step {
  const agreed = agreement(answer);
  if (!agreed) return refused(sa, exchange, answer, ctx);
  const { offer, old, rival } = exchange;
  const made = concludeChild(offer, agreed, { ni: offer.nonce, nr: agreed.nonce.data }, ctx);
  const { additional: pending } = made;
  if (pending.length > 0) {
    // The peer's own, which is complete, is the one that stays.
    if (rival) return { sa, outputs: [] };
    const of = { kind: 'child', old, agreement: made } as const;
    return initiateFollowup(sa, { of, pending, secrets: [], link: demandLink(answer.notifies) }, ctx);
  }
  const child = madeChild(sa, made, [], ctx);
  const children = sa.phase.children.map((one) => (one.spiIn === old ? replaced(one, ctx) : one));
  const next = withChildren(sa, [...children, child]);
  const outputs = [...install(next, child), rekeyed(sa, child)];
  // RFC 7296 §2.8.1: whoever made the SA with the lowest of the four nonces deletes that one, the other the old one.
  const lowest = lowerNonce(offer.nonce, agreed.nonce.data);
  const lost = rival !== undefined && equalBytes(lowerNonce(lowest, rival.lowestNonce), lowest);
  if (!lost) return { sa: wanting(next, { kind: 'deleteChild', spiIn: old }), outputs };
  return {
    sa: wanting(
      withChildren(
        next,
        next.phase.children.map((one) => (one === child ? replaced(child, ctx) : one)),
      ),
      { kind: 'deleteChild', spiIn: child.spiIn },
    ),
    outputs,
  };
}

type Made = Extract<Followup['of'], { kind: 'child' }>;

/** The last further key exchange of ours is done: a child anew, or a further one. */
export function complete(sa: InPhase<'established'>, made: Made, secrets: readonly Bytes[], ctx: Context): Step {
  const { old } = made;
  const step = completed(sa, made, secrets, undefined, ctx);
  return { ...step, sa: old === undefined ? step.sa : wanting(step.sa, { kind: 'deleteChild', spiIn: old }) };
}

/** The same of the peer, which deletes the old one itself. */
export const completeResponse = (sa: InPhase<'established'>, made: Made, secrets: readonly Bytes[], ctx: Context): Step =>
  completed(sa, made, secrets, made.old, ctx);

function completed(
  sa: InPhase<'established'>,
  { old, agreement: agreed }: Made,
  secrets: readonly Bytes[],
  sendsAfter: number | undefined,
  ctx: Context,
): Step & { readonly sa: InPhase<'established'> } {
  const child = madeChild(sa, agreed, secrets, ctx);
  const next = withChildren(sa, [...sa.phase.children.map((one) => (one.spiIn === old ? replaced(one, ctx) : one)), child]);
  return { sa: next, outputs: [...install(next, child, sendsAfter), ...(old === undefined ? [] : [rekeyed(sa, child)])] };
}

function refused(sa: InPhase<'established'>, { old, offer, rival }: Rekeying, { notifies }: ChildAnswer, ctx: Context): Step {
  const outputs = [refusedBy(sa, notifies)];
  const group = otherGroup(notifies, offer.ke?.id, termsOf(sa, ctx).esp.keyExchange);
  if (group !== undefined) return { sa: wanting(sa, { kind: 'rekeyChild', spiIn: old, group }), outputs };
  if (findNotify(notifies, Notify.CHILD_SA_NOT_FOUND)) {
    // RFC 7296 §2.8.1: after a collision that only we noticed the error means nothing; else the child goes and a new one comes (§2.25).
    if (rival || !sa.phase.children.some(({ spiIn }) => spiIn === old)) return { sa, outputs };
    const without = withChildren(
      sa,
      sa.phase.children.filter(({ spiIn }) => spiIn !== old),
    );
    return { sa: wanting(without, { kind: 'newChild' }), outputs: [...outputs, ...uninstall(sa, old)] };
  }
  const later = sa.phase.children.map((child) => (child.spiIn === old ? { ...child, rekeyAt: retryAt(ctx) } : child));
  return { sa: withChildren(sa, later), outputs };
}

const replaced = (child: Child, ctx: Context): Child => ({ ...child, replacedUntil: later(ctx.now, REPLACED_MS) });
const rekeyed = (sa: InPhase<'established'>, { spiIn }: Child) => event({ name: 'child-rekeyed', spiIn, ...which(sa) });
