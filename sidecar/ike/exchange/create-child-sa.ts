/**
 * CREATE_CHILD_SA (RFC 7296 §1.3): one exchange for three purposes, told apart by what is in the request.
 *
 *     HDR, SK {SA, Ni, [KEi,] TSi, TSr}                 -->   a further child        (new-child.ts)
 *     HDR, SK {N(REKEY_SA), SA, Ni, [KEi,] TSi, TSr}    -->   a child anew           (rekey-child.ts)
 *     HDR, SK {SA, Ni, KEi}                             -->   the IKE SA itself anew (rekey-ike.ts)
 */
import type { Context } from '../context.ts';
import { ProtocolError } from '../error.ts';
import type { OwnExchange } from '../established.ts';
import { findNotify, NO_DATAPLANE } from '../first-exchange.ts';
import type { InPhase } from '../sa.ts';
import type { Reply, Step } from '../step.ts';
import type { Payload } from '../wire/payload.ts';
import { Notify } from '../wire/registry.ts';
import { shape } from '../wire/shape.ts';
import * as newChild from './new-child.ts';
import * as rekeyChild from './rekey-child.ts';
import * as rekeyIke from './rekey-ike.ts';

const request = shape({ sa: 'SA', nonce: 'NONCE', ke: 'KE?', tsi: 'TSi?', tsr: 'TSr?', notifies: 'N*' });
const response = shape({ sa: 'SA?', nonce: 'NONCE?', ke: 'KE?', tsi: 'TSi?', tsr: 'TSr?', notifies: 'N*' });

export function respond(sa: InPhase<'established'>, payloads: readonly Payload[], ctx: Context): Reply {
  const asked = request(payloads);
  const own = sa.phase.exchange?.kind;
  const { tsi, tsr } = asked;
  if (own === 'followup') throw busy('further key exchanges are under way');
  if (!tsi || !tsr) {
    // RFC 7296 §2.25.1: not while we create, rekey or close a child of it.
    if (own === 'newChild' || own === 'rekeyChild' || own === 'deleteChild') throw busy('a child is being changed');
    return rekeyIke.respond(sa, asked, ctx);
  }
  // RFC 7296 §2.25
  if (!ctx.carrying) throw busy(NO_DATAPLANE);
  // RFC 7296 §2.25.2
  if (own === 'rekeyIke') throw busy('the IKE SA is being rekeyed');
  const child = { ...asked, tsi, tsr };
  const rekeyed = findNotify(asked.notifies, Notify.REKEY_SA);
  return rekeyed ? rekeyChild.respond(sa, child, rekeyed.spi, ctx) : newChild.respond(sa, child, ctx);
}

type Creating = Extract<OwnExchange, { kind: 'newChild' | 'rekeyChild' | 'rekeyIke' }>;

export function conclude(sa: InPhase<'established'>, exchange: Creating, payloads: readonly Payload[], ctx: Context): Step {
  const answer = response(payloads);
  switch (exchange.kind) {
    case 'newChild':
      return newChild.conclude(sa, exchange, answer, ctx);
    case 'rekeyChild':
      return rekeyChild.conclude(sa, exchange, answer, ctx);
    case 'rekeyIke':
      return rekeyIke.conclude(sa, exchange, answer, ctx);
  }
}

/** RFC 7296 §2.25: "a request that cannot be completed due to a temporary condition". */
export const busy = (why: string): ProtocolError => new ProtocolError('refuse', Notify.TEMPORARY_FAILURE, why);
