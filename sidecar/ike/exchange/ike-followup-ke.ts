/**
 * IKE_FOLLOWUP_KE (RFC 9370 §2.2.4): the further key exchanges of a CREATE_CHILD_SA, one each. After the last one the child, or the new
 * IKE SA, is there.
 *
 *     HDR, SK {KEi(n), N(ADDITIONAL_KEY_EXCHANGE)(link n)}   -->
 *                                                            <--   HDR, SK {KEr(n), [N(ADDITIONAL_KEY_EXCHANGE)(link n+1)]}
 *                                                      or    <--   HDR, SK {N(STATE_NOT_FOUND)}
 */
import { keyExchangeOf } from '../algorithms.ts';
import { refusedBy, retryAt, withChildren } from '../child-exchange.ts';
import type { Context } from '../context.ts';
import { ProtocolError } from '../error.ts';
import type { OwnExchange } from '../established.ts';
import { awaitFollowup, demandLink, type Followup, initiateFollowup, linkOf } from '../followup.ts';
import type { IkeSa, InPhase } from '../sa.ts';
import type { Reply, Step } from '../step.ts';
import { equalBytes } from '../wire/bytes.ts';
import { notify, type Payload } from '../wire/payload.ts';
import { Notify } from '../wire/registry.ts';
import { shape } from '../wire/shape.ts';
import * as rekeyChild from './rekey-child.ts';
import * as rekeyIke from './rekey-ike.ts';

const request = shape({ ke: 'KE', notifies: 'N*' });
const response = shape({ ke: 'KE?', notifies: 'N*' });

export function respond(sa: InPhase<'established'>, payloads: readonly Payload[], ctx: Context): Reply {
  const { ke, notifies } = request(payloads);
  const { awaited, ...phase } = sa.phase;
  const link = linkOf(notifies);
  // RFC 9370 §2.2.4: "MUST send back a new error type notification called STATE_NOT_FOUND".
  const { of } = awaited ?? {};
  // What was about to be made cannot be carried: the peer begins anew, and is refused then as long as that is so.
  if (of?.kind === 'child' && !ctx.carrying) return respondForgotten({ ...sa, phase: { ...phase, awaited: undefined } });
  if (!awaited || awaited.until <= ctx.now || !link || !equalBytes(link, awaited.link)) return respondForgotten(sa);
  const [method, ...pending] = awaited.pending;
  if (method === undefined || ke.group !== method) throw unasked();
  const { publicValue, shared } = keyExchangeOf(ctx.crypto, method).respond(ke.data, ctx.random);
  const answer: Payload[] = [{ kind: 'KE', group: method, data: publicValue }];
  const done = { of: awaited.of, secrets: [...awaited.secrets, shared], pending };
  const free = { ...sa, phase: { ...phase, awaited: undefined } };
  if (pending.length > 0) return awaitFollowup(free, done, answer, ctx);
  return { ...completeResponse(free, done, ctx), payloads: answer };
}

/** What an IKE SA that is being closed was about to make is not made any more. */
export const respondForgotten = (sa: IkeSa): Reply => ({ sa, payloads: [notify(Notify.STATE_NOT_FOUND)], outputs: [] });

type Done = Pick<Followup, 'of' | 'secrets'>;

const completeResponse = (sa: InPhase<'established'>, { of, secrets }: Done, ctx: Context): Step =>
  of.kind === 'child'
    ? rekeyChild.completeResponse(sa, of, secrets, ctx)
    : rekeyIke.completeResponse(sa, of.agreement, secrets, ctx);

type Following = Extract<OwnExchange, { kind: 'followup' }>;

export function conclude(
  sa: InPhase<'established'>,
  { followup, ke: own }: Following,
  payloads: readonly Payload[],
  ctx: Context,
): Step {
  const { ke, notifies } = response(payloads);
  if (!ke) return { sa: again(sa, followup, ctx), outputs: [refusedBy(sa, notifies)] };
  if (ke.group !== own.id) throw unasked();
  const shared = keyExchangeOf(ctx.crypto, own.id).conclude(own.privateKey, ke.data);
  const done = { ...followup, secrets: [...followup.secrets, shared], pending: followup.pending.slice(1) };
  if (done.pending.length === 0) return complete(sa, done, ctx);
  return initiateFollowup(sa, { ...done, link: demandLink(notifies) }, ctx);
}

const complete = (sa: InPhase<'established'>, { of, secrets }: Done, ctx: Context): Step =>
  of.kind === 'child' ? rekeyChild.complete(sa, of, secrets, ctx) : rekeyIke.complete(sa, of.agreement, secrets, ctx);

/** RFC 9370 §2.2.4: what was under way is given up; it may begin anew from CREATE_CHILD_SA, not at once. */
function again(sa: InPhase<'established'>, { of }: Followup, ctx: Context): InPhase<'established'> {
  if (of.kind === 'ike') return { ...sa, phase: { ...sa.phase, rekeyAt: retryAt(ctx) } };
  const children = sa.phase.children.map((child) => (child.spiIn === of.old ? { ...child, rekeyAt: retryAt(ctx) } : child));
  return withChildren(sa, children);
}

const unasked = (): ProtocolError =>
  new ProtocolError('abort', Notify.INVALID_SYNTAX, 'another further key exchange than was agreed on');
