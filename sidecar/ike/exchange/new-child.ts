/**
 * A further child (RFC 7296 §1.3.1).
 *
 *     HDR, SK {SA, Ni, [KEi,] TSi, TSr}   -->
 *                                         <--   HDR, SK {SA, Nr, [KEr,] TSi, TSr}
 */
import { concludeChild, install, offerChild, offerPayloads, trafficOf } from '../child.ts';
import {
  agree,
  agreement,
  type ChildAnswer,
  type ChildRequest,
  otherGroup,
  refusedBy,
  wanting,
  withChildren,
} from '../child-exchange.ts';
import type { Context } from '../context.ts';
import type { InPhase, Intent, OwnExchange } from '../sa.ts';
import type { Reply, Step } from '../step.ts';
import { termsOf } from '../terms.ts';
import { request as sendRequest } from '../window.ts';
import { Exchange } from '../wire/registry.ts';

export function initiate(sa: InPhase<'established'>, { group }: Extract<Intent, { kind: 'newChild' }>, ctx: Context): Step {
  const offer = offerChild(sa, trafficOf(sa, ctx), { inAuth: false, ...(group ? { group } : {}) }, ctx);
  const phase = { ...sa.phase, exchange: { kind: 'newChild', offer } as const };
  return sendRequest({ ...sa, phase }, Exchange.CREATE_CHILD_SA, offerPayloads(offer), ctx);
}

export function respond(sa: InPhase<'established'>, asked: ChildRequest, ctx: Context): Reply {
  const { child, payloads } = agree(sa, asked, trafficOf(sa, ctx), ctx);
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
    const next = group === undefined ? sa : wanting(sa, { kind: 'newChild', group });
    return { sa: next, outputs: [refusedBy(sa, answer.notifies)] };
  }
  const child = concludeChild(sa, offer, agreed, { ni: offer.nonce, nr: agreed.nonce.data }, ctx);
  const next = withChildren(sa, [...sa.phase.children, child]);
  return { sa: next, outputs: install(next, child) };
}
