/** What the exchanges that make children share (RFC 7296 §1.3.1, §1.3.3, §2.25): their answers, and what follows a refusal. */
import type { Sequences } from '../contract/dataplane.ts';
import { type AskedChild, acceptChild, type Child, type ChildAgreement, type Traffic } from './child.ts';
import type { Context } from './context.ts';
import { ProtocolError } from './error.ts';
import type { Intent } from './established.ts';
import { errorOf, findNotify, hasUnknownError, NONCE_BYTES, type Notifies, nameOfNotify } from './first-exchange.ts';
import { type InPhase, type Instant, later } from './sa.ts';
import { event, type Output, which } from './step.ts';
import { fraction } from './window.ts';
import { type Bytes, Reader } from './wire/bytes.ts';
import type { Payload, PayloadOf } from './wire/payload.ts';
import { Notify } from './wire/registry.ts';

export interface ChildRequest extends AskedChild {
  readonly nonce: PayloadOf<'NONCE'>;
  readonly notifies: Notifies;
}

export interface ChildAnswer {
  readonly sa: PayloadOf<'SA'> | undefined;
  readonly nonce: PayloadOf<'NONCE'> | undefined;
  readonly ke: PayloadOf<'KE'> | undefined;
  readonly tsi: PayloadOf<'TSi'> | undefined;
  readonly tsr: PayloadOf<'TSr'> | undefined;
  readonly notifies: Notifies;
}

/** A peer that asks for children without end is told so. */
const MAX_CHILDREN = 16;

/** The responder's half of both; the second nonce is ours. @throws ProtocolError (refuse) */
export function agree(
  sa: InPhase<'established'>,
  asked: ChildRequest,
  allowed: Traffic,
  ctx: Context,
): { agreement: ChildAgreement; payloads: readonly Payload[]; nr: Bytes } {
  // RFC 7296 §1.3: "NO_ADDITIONAL_SAS ... unwilling to accept any more Child SAs".
  if (sa.phase.children.length >= MAX_CHILDREN) throw new ProtocolError('refuse', Notify.NO_ADDITIONAL_SAS, 'too many children');
  const nr = ctx.random(NONCE_BYTES);
  const agreed = acceptChild(sa, asked, allowed, { ni: asked.nonce.data, nr, inAuth: false }, ctx);
  if ('refused' in agreed) throw new ProtocolError('refuse', agreed.refused, agreed.reason, agreed.data);
  return { ...agreed, nr };
}

/** The answer as a whole, or undefined when it is a refusal. */
export const agreement = ({
  sa,
  nonce,
  ke,
  tsi,
  tsr,
  notifies,
}: ChildAnswer): (AskedChild & { readonly nonce: PayloadOf<'NONCE'> }) | undefined =>
  sa && nonce && tsi && tsr && !hasUnknownError(notifies) ? { sa, nonce, ke, tsi, tsr } : undefined;

export const withChildren = (sa: InPhase<'established'>, children: readonly Child[]): InPhase<'established'> => ({
  ...sa,
  phase: { ...sa.phase, children },
});

/** The data plane has come so far with one of its children. */
export const carried = (
  sa: InPhase<'established'>,
  { spiIn, sent, received }: Sequences & { readonly spiIn: number },
): InPhase<'established'> =>
  withChildren(
    sa,
    sa.phase.children.map((child) => (child.spiIn === spiIn ? { ...child, sequences: { sent, received } } : child)),
  );

/** Puts an exchange at the end of those to begin; one that is there already is not repeated. */
export function wanting(sa: InPhase<'established'>, ...intents: readonly Intent[]): InPhase<'established'> {
  const fresh = intents.filter((one) => !sa.phase.wanted.some((other) => sameIntent(one, other)));
  return fresh.length === 0 ? sa : { ...sa, phase: { ...sa.phase, wanted: [...sa.phase.wanted, ...fresh] } };
}

const sameIntent = (a: Intent, b: Intent): boolean =>
  a.kind === b.kind && ('spiIn' in a ? a.spiIn : 0) === ('spiIn' in b ? b.spiIn : 0);

/** The group that an INVALID_KE_PAYLOAD asks for, if we may use it and have not just tried it (RFC 7296 §1.3). */
export function otherGroup(notifies: Notifies, tried: number | undefined, ours: readonly number[]): number | undefined {
  const wrong = findNotify(notifies, Notify.INVALID_KE_PAYLOAD);
  if (!wrong) return undefined;
  const group = new Reader(wrong.data).u16();
  return group !== tried && ours.includes(group) ? group : undefined;
}

/** RFC 7296 §2.25: after a TEMPORARY_FAILURE "it MUST NOT immediately retry"; "over a period of several minutes". */
export const retryAt = (ctx: Context): Instant => later(ctx.now, Math.round(10_000 + 10_000 * fraction(ctx)));

export function refusedBy(sa: InPhase<'established'>, notifies: Notifies): Output {
  const name = nameOfNotify(errorOf(notifies)?.notify ?? Notify.INVALID_SYNTAX);
  return event({
    name: 'refused',
    by: 'peer',
    exchange: 'CREATE_CHILD_SA',
    notify: name,
    reason: 'the peer refuses',
    ...which(sa),
  });
}

/** RFC 7296 §2.8.1: octet by octet; a nonce that ends first is the lower one. */
export function lowerNonce(a: Bytes, b: Bytes): Bytes {
  const at = a.findIndex((byte, index) => byte !== b[index]);
  if (at === -1) return a;
  return at >= b.length || (a[at] ?? 0) > (b[at] ?? 0) ? b : a;
}
