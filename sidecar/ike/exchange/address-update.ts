/**
 * New addresses (RFC 4555 §3.5), and the proof of one (§3.7), told apart by who asks.
 *
 *     client:    HDR, SK {N(UPDATE_SA_ADDRESSES), N(NAT_DETECTION_*)+, N(COOKIE2)}   -->
 *                                            <--   HDR, SK {N(NAT_DETECTION_*)+, N(COOKIE2)}
 *     gateway:   HDR, SK {N(COOKIE2)}   -->
 *                                       <--   HDR, SK {N(COOKIE2)}
 */
import { redirect } from '../child.ts';
import type { Context } from '../context.ts';
import { ProtocolError } from '../error.ts';
import type { OwnExchange } from '../established.ts';
import { findNotify, type Notifies, nameOfNotify } from '../first-exchange.ts';
import { natDetections, noticeNat, withNat } from '../mobike.ts';
import type { InPhase } from '../sa.ts';
import { event, NOTHING, type Step, which } from '../step.ts';
import { request as sendRequest } from '../window.ts';
import { equalBytes } from '../wire/bytes.ts';
import { notify, type Payload } from '../wire/payload.ts';
import { Exchange, Notify } from '../wire/registry.ts';
import { shape } from '../wire/shape.ts';

type Updating = Extract<OwnExchange, { cookie: unknown }>;

const response = shape({ notifies: 'N*' });
/** RFC 4555 §4.2.5: 8 to 64 bytes that the other side cannot guess. */
const COOKIE2_BYTES = 16;

export function initiate(sa: InPhase<'established'>, kind: Updating['kind'], ctx: Context): Step {
  const { connection, phase } = sa;
  // The peer is back where it was, or the SA cannot move any more.
  if (!phase.mobility || (kind === 'verifyPath' ? !phase.mobility.former : !connection)) return { sa, outputs: NOTHING };
  const cookie = ctx.random(COOKIE2_BYTES);
  const update: Payload[] =
    kind === 'updateAddresses'
      ? [notify(Notify.UPDATE_SA_ADDRESSES), ...natDetections(sa, sa.path, connection?.forceEncapsulation ?? false, ctx)]
      : [];
  const asking = { ...sa, phase: { ...phase, exchange: { kind, cookie, path: sa.path } } };
  return sendRequest(asking, Exchange.INFORMATIONAL, [...update, notify(Notify.COOKIE2, cookie)], ctx);
}

export function conclude(sa: InPhase<'established'>, exchange: Updating, payloads: readonly Payload[], ctx: Context): Step {
  const { notifies } = response(payloads);
  const cookie = findNotify(notifies, Notify.COOKIE2);
  // RFC 4555 §3.7: "If the values do not match, the IKE_SA MUST be closed."
  if (!cookie || !equalBytes(cookie.data, exchange.cookie))
    throw new ProtocolError('abort', Notify.INVALID_SYNTAX, 'another COOKIE2 than the one that was sent');
  // §3.5, §3.7: we or the peer moved meanwhile: the answer says nothing of the last address, which has a request of its own.
  if (exchange.path.remote !== sa.path.remote || exchange.path.local !== sa.path.local) return { sa, outputs: NOTHING };
  return exchange.kind === 'verifyPath' ? proven(sa) : updated(sa, notifies, ctx);
}

/** The peer receives at its new address. */
function proven(sa: InPhase<'established'>): Step {
  const { mobility } = sa.phase;
  if (!mobility) return { sa, outputs: NOTHING };
  const next = { ...sa, phase: { ...sa.phase, mobility: { ...mobility, former: undefined } } };
  return { sa: next, outputs: redirect(next) };
}

function updated(sa: InPhase<'established'>, notifies: Notifies, ctx: Context): Step {
  const refusal = findNotify(notifies, Notify.UNACCEPTABLE_ADDRESSES) ?? findNotify(notifies, Notify.UNEXPECTED_NAT_DETECTED);
  // §3.5: "or disconnect": whoever runs the client begins anew from where it is.
  if (refusal) {
    const refused = { name: 'refused', by: 'peer', exchange: 'INFORMATIONAL', notify: nameOfNotify(refusal.notify) } as const;
    const reason = 'the gateway refuses our new address';
    return { sa: undefined, closes: 'address refused', outputs: [event({ ...refused, reason, ...which(sa) })] };
  }
  const known = withNat(sa, notifies, sa.path, ctx);
  return { sa: rebased(known, notifies), outputs: redirect(known) };
}

/** §3.8: what the gateway sees of us in this answer is what later ones are compared with. */
function rebased(sa: InPhase<'established'>, notifies: Notifies): InPhase<'established'> {
  const { mobility } = sa.phase;
  if (!mobility) return sa;
  return noticeNat({ ...sa, phase: { ...sa.phase, mobility: { ...mobility, seen: undefined } } }, notifies);
}
