/** What IKE_SA_INIT and IKE_SESSION_RESUME have in common (RFC 5723 §4.3.2): cookies, limits, NAT detection, the move to port 4500. */
import type { Connection } from './connection.ts';
import type { Context } from './context.ts';
import { cookie, cookieValid } from './cookie.ts';
import { parseEndpoint } from './endpoint.ts';
import { ProtocolError } from './error.ts';
import type { Handshake } from './handshake-phase.ts';
import { detectNat, feignedNatDetection, natDetection } from './nat.ts';
import type { Nat, Path } from './sa.ts';
import { event, type Step } from './step.ts';
import { inForce } from './terms.ts';
import { type Bytes, equalBytes } from './wire/bytes.ts';
import { decodeMessage, encodeMessage, type Header } from './wire/message.ts';
import { notify, type Payload, type PayloadOf } from './wire/payload.ts';
import { Notify } from './wire/registry.ts';

export type Notifies = readonly PayloadOf<'N'>[];

/** RFC 7296 §2.6: a client gets this many answers that are no answer before it gives up. */
export const MAX_RETRIES = 5;
export const NONCE_BYTES = 32;

/**
 * RFC 7296 §2.6: the request once more, "with the COOKIE notification ... as the first payload, and all other payloads unchanged".
 * @throws ProtocolError (drop) for a cookie that it carries already: that answers a copy of an earlier request.
 */
export function withCookie(request: Bytes, cookie: Bytes): Payload[] {
  const { payloads } = decodeMessage(request);
  const isCookie = (one: Payload): boolean => one.kind === 'N' && one.notify === Notify.COOKIE;
  if (payloads.some((one) => one.kind === 'N' && isCookie(one) && equalBytes(one.data, cookie)))
    throw ProtocolError.malformed('a repeated COOKIE');
  return [notify(Notify.COOKIE, cookie), ...payloads.filter((one) => !isCookie(one))];
}

export const findNotify = (notifies: Notifies, type: number): PayloadOf<'N'> | undefined =>
  notifies.find((n) => n.notify === type);

/**
 * Under load, a first request costs nothing but a MAC until its sender has shown that it receives at its address.
 * Answers the step that demands a cookie, or undefined when the request may go on.
 */
export function demandCookie(header: Header, ni: Bytes, notifies: Notifies, path: Path, ctx: Context): Step | undefined {
  const { config, ring } = inForce(ctx);
  if (ctx.halfOpen + ctx.strain.level(ctx.now) < config.ike.cookieThreshold) return undefined;
  const bakery = { ring, crypto: ctx.crypto, audience: config.audience, now: ctx.now };
  const claim = { ni, address: parseEndpoint(path.remote).address, spiI: header.spiI };
  const given = findNotify(notifies, Notify.COOKIE);
  if (given && cookieValid(bakery, claim, given.data)) return undefined;
  const payloads = [notify(Notify.COOKIE, cookie(bakery, claim))];
  return { sa: undefined, outputs: [respondInClear(header, payloads, path), event({ name: 'cookie-demanded', path })] };
}

/**
 * While nothing could carry a child, a handshake waits: every error in clear makes some client give up (strongSwan) or lose its ticket
 * (RFC 5723 §4.3.2), and RFC 7296 has none that says "later". One that hears nothing repeats itself, here or at a sibling.
 *
 * No source may hold more than half of the places: a cookie proves an address, and one address is cheap. Not less, since a load
 * balancer may hide all clients behind one (RFC 8019 §4.3). @throws ProtocolError (drop) when there is no place.
 */
export function admit({ remote }: Path, ctx: Context): void {
  if (!ctx.carrying) throw new ProtocolError('drop', Notify.TEMPORARY_FAILURE, NO_DATAPLANE);
  const { maxHalfOpen } = inForce(ctx).config.ike;
  if (ctx.halfOpen >= maxHalfOpen || ctx.halfOpenFrom(remote) >= Math.ceil(maxHalfOpen / 2))
    throw new ProtocolError('drop', Notify.TEMPORARY_FAILURE, HALF_OPEN_LIMIT);
}
export const HALF_OPEN_LIMIT = 'too many half-open SAs';
export const SESSION_LIMIT = 'too many sessions';
export const NO_DATAPLANE = 'no data plane';

/** NAT_DETECTION_* for a message of ours, and that we can put fragments together. */
export function capabilities(spiI: string, spiR: string, path: Path, forceEncapsulation: boolean, ctx: Context): Payload[] {
  const source = forceEncapsulation ? feignedNatDetection(ctx.random) : natDetection(ctx.crypto, spiI, spiR, path.local);
  return [
    notify(Notify.NAT_DETECTION_SOURCE_IP, source),
    notify(Notify.NAT_DETECTION_DESTINATION_IP, natDetection(ctx.crypto, spiI, spiR, path.remote)),
    notify(Notify.IKEV2_FRAGMENTATION_SUPPORTED),
  ];
}

export const canFragment = (notifies: Notifies): boolean =>
  findNotify(notifies, Notify.IKEV2_FRAGMENTATION_SUPPORTED) !== undefined;

/** What the peer's notifies say of NATs between us; one that we feign ourselves counts as ours. */
export function natOf(
  notifies: Notifies,
  header: Pick<Header, 'spiI' | 'spiR'>,
  path: Path,
  feigned: boolean,
  ctx: Context,
): Nat {
  const nat = detectNat(notifies, header, path, ctx.crypto);
  return feigned && supportsNatTraversal(notifies) ? { ...nat, local: true } : nat;
}

export const supportsNatTraversal = (notifies: Notifies): boolean =>
  findNotify(notifies, Notify.NAT_DETECTION_SOURCE_IP) !== undefined;

/** RFC 7296 §2.23: the initiator moves to port 4500 when there is a NAT. */
export const pathAfterNatDetection = (path: Path, nat: Nat, connection: Connection): Path =>
  nat.local || nat.remote ? connection.natPath : path;

/** A response in the clear: COOKIE, INVALID_KE_PAYLOAD, TICKET_NACK and the like. RFC 7296 §1.5: with the SPIs of the request, so from no SA of ours. */
export function respondInClear(request: Header, payloads: readonly Payload[], path: Path) {
  const bytes = encodeMessage({ ...request, response: true, initiator: !request.initiator, payloads });
  return { type: 'send', path, bytes } as const;
}

/** The first notify of the error range (RFC 7296 §3.10.1). */
export const errorOf = (notifies: Notifies): PayloadOf<'N'> | undefined => notifies.find((n) => n.notify < 16_384);

/** RFC 7296 §3.10.1: an error that we do not recognize in a response means "that the corresponding request has failed entirely". */
export const hasUnknownError = (notifies: Notifies): boolean =>
  notifies.some((n) => n.notify < 16_384 && !KNOWN_NOTIFIES.has(n.notify));
const KNOWN_NOTIFIES: ReadonlySet<number> = new Set(Object.values(Notify));

export const nameOfNotify = (number: number): string =>
  Object.entries(Notify).find(([, value]) => value === number)?.[0] ?? `notify ${number}`;

export const answeredHandshake = (handshake: Handshake, keyExchanges = 0): Handshake => ({
  ...handshake,
  roundTrips: handshake.roundTrips + 1,
  keyExchanges: handshake.keyExchanges + keyExchanges,
});

export const newHandshake = (ctx: Pick<Context, 'now'>): Handshake => ({ began: ctx.now, roundTrips: 0, keyExchanges: 0 });
