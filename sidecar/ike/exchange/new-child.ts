/**
 * A further child (RFC 7296 §1.3.1).
 *
 *     HDR, SK {SA, Ni, [KEi,] TSi, TSr}   -->
 *                                         <--   HDR, SK {SA, Nr, [KEr,] TSi, TSr}
 */
import { concludeChild, install, madeChild, offerChild, offerPayloads, trafficOf } from '../child.ts';
import {
  agree,
  agreement,
  type ChildAnswer,
  type ChildRequest,
  otherGroup,
  refusedBy,
  retryAt,
  wanting,
  withChildren,
} from '../child-exchange.ts';
import type { Context } from '../context.ts';
import type { Intent, OwnExchange } from '../established.ts';
import { findNotify } from '../first-exchange.ts';
import { awaitFollowup, demandLink, initiateFollowup } from '../followup.ts';
import type { InPhase } from '../sa.ts';
import type { Reply, Step } from '../step.ts';
import { termsOf } from '../terms.ts';
import { request as sendRequest } from '../window.ts';
import { Exchange, Notify } from '../wire/registry.ts';

/** RFC 7296 §2.25: "over a period of several minutes". */
const MAX_TRIES = 12;

export function initiate(sa: InPhase<'established'>, { group }: Extract<Intent, { kind: 'newChild' }>, ctx: Context): Step {
  const offer = offerChild(sa, trafficOf(sa, ctx), { inAuth: false, ...(group ? { group } : {}) }, ctx);
  const phase = { ...sa.phase, exchange: { kind: 'newChild', offer } as const };
  return sendRequest({ ...sa, phase }, Exchange.CREATE_CHILD_SA, offerPayloads(offer), ctx);
}

export function respond(sa: InPhase<'established'>, asked: ChildRequest, ctx: Context): Reply {
  const { agreement: agreed, payloads } = agree(sa, asked, trafficOf(sa, ctx), ctx);
  const { additional: pending } = agreed;
  if (pending.length > 0)
    return awaitFollowup(sa, { of: { kind: 'child', old: undefined, agreement: agreed }, pending, secrets: [] }, payloads, ctx);
  const child = madeChild(sa, agreed, [], ctx);
  const next = withChildren(sa, [...sa.phase.children, child]);
  return { sa: next, payloads, outputs: install(next, child) };
}

export function conclude(
  sa: InPhase<'established'>,
  { offer }: Extract<OwnExchange, { kind: 'newChild' }>,
  answer: ChildAnswer,
  ctx: Context,
): Step {
  const agreed = agreement(answer);
  if (!agreed) {
    const group = otherGroup(answer.notifies, offer.ke?.id, termsOf(sa, ctx).esp.keyExchange);
    const next = group === undefined ? again(sa, answer, ctx) : wanting(sa, { kind: 'newChild', group });
    return { sa: next, outputs: [refusedBy(sa, answer.notifies)] };
  }
  const made = concludeChild(offer, agreed, { ni: offer.nonce, nr: agreed.nonce.data }, ctx);
  const { additional: pending } = made;
  if (pending.length > 0) {
    const of = { kind: 'child', old: undefined, agreement: made } as const;
    return initiateFollowup(sa, { of, pending, secrets: [], link: demandLink(answer.notifies) }, ctx);
  }
  const child = madeChild(sa, made, [], ctx);
  const next = withChildren({ ...sa, phase: { ...sa.phase, childAgain: undefined } }, [...sa.phase.children, child]);
  return { sa: next, outputs: install(next, child) };
}

/** RFC 7296 §2.25: TEMPORARY_FAILURE is no answer for ever. */
function again(sa: InPhase<'established'>, { notifies }: ChildAnswer, ctx: Context): InPhase<'established'> {
  const tries = (sa.phase.childAgain?.tries ?? 0) + 1;
  const isBusy = findNotify(notifies, Notify.TEMPORARY_FAILURE) !== undefined && tries < MAX_TRIES;
  return { ...sa, phase: { ...sa.phase, childAgain: isBusy ? { at: retryAt(ctx), tries } : undefined } };
}
