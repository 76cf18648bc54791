/**
 * What follows a CREATE_CHILD_SA that agreed on further key exchanges (RFC 9370 §2.2.4): both sides remember what was agreed on until
 * the last of them is done. The responder's link in N(ADDITIONAL_KEY_EXCHANGE) tells which CREATE_CHILD_SA an exchange belongs to.
 */
import { keyExchangeOf } from './algorithms.ts';
import type { ChildAgreement } from './child.ts';
import type { Context } from './context.ts';
import { ProtocolError } from './error.ts';
import type { IkeAgreement } from './established.ts';
import { findNotify, type Notifies } from './first-exchange.ts';
import { type InPhase, type Instant, later } from './sa.ts';
import type { Reply, Step } from './step.ts';
import { request as sendRequest } from './window.ts';
import type { Bytes } from './wire/bytes.ts';
import { notify, type Payload } from './wire/payload.ts';
import { Exchange, Notify } from './wire/registry.ts';

export interface Followup {
  readonly of: /** `old`: our SPI of the child that this one replaces. */
    | { readonly kind: 'child'; readonly old: number | undefined; readonly agreement: ChildAgreement }
    | { readonly kind: 'ike'; readonly agreement: IkeAgreement };
  /** Methods that are to be done, in order. */
  readonly pending: readonly number[];
  /** What the done ones gave: SK(1), SK(2) … */
  readonly secrets: readonly Bytes[];
  /** The responder's, from its last response. */
  readonly link: Bytes;
}

/** The peer begins the exchanges; one that it does not begin is forgotten. */
export interface Awaited extends Followup {
  readonly until: Instant;
}

/** Longer than a peer repeats a request that is lost. */
const AWAITED_MS = 30_000;
const LINK_BYTES = 8;

/** The responder waits for the next one; a newer CREATE_CHILD_SA takes the place of one that came to nothing, so there is one at most. */
export function awaitFollowup(
  sa: InPhase<'established'>,
  followup: Omit<Followup, 'link'>,
  payloads: readonly Payload[],
  ctx: Context,
): Reply {
  const link = ctx.random(LINK_BYTES);
  const awaited: Awaited = { ...followup, link, until: later(ctx.now, AWAITED_MS) };
  const told = notify(Notify.ADDITIONAL_KEY_EXCHANGE, link);
  return { sa: { ...sa, phase: { ...sa.phase, awaited } }, payloads: [...payloads, told], outputs: [] };
}

/** The initiator begins the next one. */
export function initiateFollowup(sa: InPhase<'established'>, followup: Followup, ctx: Context): Step {
  const id = followup.pending[0] ?? 0;
  const ke = { id, ...keyExchangeOf(ctx.crypto, id).generate(ctx.random) };
  const phase = { ...sa.phase, exchange: { kind: 'followup', followup, ke } as const };
  const payloads: Payload[] = [
    { kind: 'KE', group: id, data: ke.publicValue },
    notify(Notify.ADDITIONAL_KEY_EXCHANGE, followup.link),
  ];
  return sendRequest({ ...sa, phase }, Exchange.IKE_FOLLOWUP_KE, payloads, ctx);
}

export const linkOf = (notifies: Notifies): Bytes | undefined =>
  findNotify(notifies, Notify.ADDITIONAL_KEY_EXCHANGE)?.data.slice();

/** RFC 9370 §2.2.4: without a link there is no way to go on. */
export function demandLink(notifies: Notifies): Bytes {
  const link = linkOf(notifies);
  if (!link) throw new ProtocolError('refuse', Notify.INVALID_SYNTAX, 'further key exchanges without ADDITIONAL_KEY_EXCHANGE');
  return link;
}
