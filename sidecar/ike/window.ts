/** Requests and responses of an SA: message ids, the window of one, retransmission, the cached response (RFC 7296 §2.1–§2.4). */
import type { Context } from './context.ts';
import { type SecuredSa, seal } from './protection.ts';
import { type IkeSa, type Instant, later, type Path, type Sent, type Window } from './sa.ts';
import { event, type Output, type Step, which } from './step.ts';
import { fragmentBytesOf, retransmitOf } from './terms.ts';
import type { Bytes } from './wire/bytes.ts';
import type { Header } from './wire/message.ts';
import type { Payload } from './wire/payload.ts';
import { Exchange } from './wire/registry.ts';

/** A fresh SA: IKE_SA_INIT or IKE_SESSION_RESUME has message id 0 in both directions. */
export const newWindow = (): Window => ({ next: 0, expected: 0, sent: undefined, answered: [], fragments: undefined });

/** An SA that was made by a rekey starts with message id 0 in both directions too (RFC 7296 §2.18). */
export const rekeyedWindow = newWindow;

/** Sends our next request, sealed. */
export function request<Sa extends SecuredSa>(
  sa: Sa,
  exchange: Exchange,
  payloads: readonly Payload[],
  ctx: Context,
): { sa: Sa; outputs: Output[] } {
  const header = headerOf(sa, exchange, sa.window.next, false);
  return send(sa, seal(sa, header, payloads, fragmentBytesOf(sa, ctx), ctx), ctx);
}

/** Sends a request as it is, in clear or sealed before. */
export function send<Sa extends IkeSa>(sa: Sa, datagrams: readonly Bytes[], ctx: Context): { sa: Sa; outputs: Output[] } {
  const sent: Sent = { messageId: sa.window.next, datagrams, attempt: 1, due: later(ctx.now, retransmitOf(sa, ctx).firstMs) };
  return { sa: { ...sa, window: { ...sa.window, next: sa.window.next + 1, sent } }, outputs: toWire(sa, datagrams) };
}

/** Answers request `messageId`: `before` has the keys it came under, `after` is what became of the SA. */
export function answer<Sa extends IkeSa>(
  before: SecuredSa,
  after: Sa,
  request: { readonly exchange: number; readonly messageId: number; readonly path: Path },
  payloads: readonly Payload[],
  ctx: Context,
): { sa: Sa; outputs: Output[] } {
  const header = headerOf(before, request.exchange, request.messageId, true);
  const datagrams = seal(before, header, payloads, fragmentBytesOf(before, ctx), ctx);
  // RFC 7296 §2.11: to where the request came from.
  return { sa: answered(after, request.messageId, datagrams), outputs: toWire(request, datagrams) };
}

/** The peer's request `messageId` is done, and answered thus. */
export const answered = <Sa extends IkeSa>(sa: Sa, messageId: number, datagrams: readonly Bytes[]): Sa => ({
  ...sa,
  window: { ...sa.window, expected: messageId + 1, answered: datagrams, fragments: undefined },
});

/** Our request was answered. */
export const concluded = <Sa extends IkeSa>(sa: Sa): Sa => ({
  ...sa,
  window: { ...sa.window, sent: undefined, fragments: undefined },
});

/** Says the last response again. */
export const repeat = (sa: IkeSa, path: Path): Output[] => toWire({ path }, sa.window.answered);

/** The request is still unanswered: again, with a longer wait, or undefined when the peer had its chances. */
export function retransmit(sa: IkeSa, ctx: Context): Step | undefined {
  const { sent } = sa.window;
  const { firstMs, factor, attempts } = retransmitOf(sa, ctx);
  if (!sent || sent.attempt >= attempts) return undefined;
  // RFC 7296 §2.4: "exponential back-off"; a little jitter keeps a crowd from coming back as one.
  const wait = firstMs * factor ** sent.attempt * (0.9 + 0.2 * fraction(ctx));
  const next: Sent = { ...sent, attempt: sent.attempt + 1, due: later(ctx.now, wait) };
  const again = event({ name: 'retransmit', attempt: next.attempt, ...which(sa) });
  return { sa: { ...sa, window: { ...sa.window, sent: next } }, outputs: [...toWire(sa, sent.datagrams), again] };
}

export const toWire = (sa: Pick<IkeSa, 'path'>, datagrams: readonly Bytes[]): Output[] =>
  datagrams.map((bytes) => ({ type: 'send', path: sa.path, bytes }));

export function headerOf(sa: IkeSa, exchange: number, messageId: number, response: boolean): Header {
  return { spiI: sa.spiI, spiR: sa.spiR, exchange, messageId, response, initiator: sa.role === 'initiator' };
}

/** 0 to 1 from the injected randomness. */
export function fraction(ctx: Pick<Context, 'random'>): number {
  const [a = 0, b = 0] = ctx.random(2);
  return (a * 256 + b) / 65_536;
}

/** An instant up to a tenth before `ms` from now, so that both sides seldom rekey at once (RFC 7296 §2.8); `ms` of 0 is never. */
export function jittered(ms: number, ctx: Pick<Context, 'now' | 'random'>, never: Instant): Instant {
  return ms === 0 ? never : later(ctx.now, Math.round(ms * (0.9 + 0.1 * fraction(ctx))));
}

export const isFirstExchange = (exchange: number): boolean =>
  exchange === Exchange.IKE_SA_INIT || exchange === Exchange.IKE_SESSION_RESUME;
