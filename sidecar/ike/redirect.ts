/** Redirection to another gateway (RFC 5685): when a gateway says it, and what a client believes. */
import type { Connection } from './connection.ts';
import type { Context } from './context.ts';
import { parseEndpoint } from './endpoint.ts';
import { ProtocolError } from './error.ts';
import { findNotify, type Notifies, respondInClear } from './first-exchange.ts';
import { formatAddress } from './ip-address.ts';
import type { Identity, IkeSa, Path } from './sa.ts';
import { event, type Output, type Step, which } from './step.ts';
import { inForce } from './terms.ts';
import { type Bytes, EMPTY, equalBytes, Reader, Writer } from './wire/bytes.ts';
import type { Message } from './wire/message.ts';
import { notify, type Payload, type PayloadOf } from './wire/payload.ts';
import { IdType, Notify } from './wire/registry.ts';

/** §12, "Gateway Identity Type". */
const GatewayId = { IPV4: 1, IPV6: 2, FQDN: 3 } as const;
const TYPES: Readonly<Record<number, number>> = {
  [IdType.ID_IPV4_ADDR]: GatewayId.IPV4,
  [IdType.ID_IPV6_ADDR]: GatewayId.IPV6,
  [IdType.ID_FQDN]: GatewayId.FQDN,
};
/** How long a client that was sent away may take to be at the other gateway (§5). */
export const REDIRECT_GRACE_MS = 60_000;

/** §3: "the gateway MUST keep track of those clients that indicated support"; one that comes from where we send clients to stays. */
export function isRedirectable(notifies: Notifies, ctx: Context): boolean {
  const from = findNotify(notifies, Notify.REDIRECTED_FROM);
  if (!from) return findNotify(notifies, Notify.REDIRECT_SUPPORTED) !== undefined;
  const to = inForce(ctx).config.redirect?.to;
  return !to || !equalBytes(from.data, gatewayId(to, EMPTY));
}

/** Where clients go now; undefined: they stay. Never to ourselves. `asked`: whatever the policy says of when. */
export function redirectTarget({ local }: Path, ctx: Context, asked = false): Identity | undefined {
  const { redirect, identity, ike } = inForce(ctx).config;
  if (!redirect || TYPES[redirect.to.idType] === undefined) return undefined;
  const overloaded = ctx.halfOpen >= ike.maxHalfOpen || ctx.sessions >= ike.maxSessions || !ctx.carrying;
  if (!asked && redirect.when === 'overloaded' && !overloaded) return undefined;
  const { to } = redirect;
  const isOurs =
    equalBytes(to.data, parseEndpoint(local).address) || (to.idType === identity.idType && equalBytes(to.data, identity.data));
  return isOurs ? undefined : to;
}

/** §3: the answer to a first request, with the nonce of that and without an SA; undefined when it may go on. */
export function redirectFirst(message: Message, ni: Bytes, notifies: Notifies, path: Path, ctx: Context): Step | undefined {
  const to = isRedirectable(notifies, ctx) ? redirectTarget(path, ctx) : undefined;
  if (!to) return undefined;
  const { spiI, spiR } = message;
  const answer = respondInClear(message, [notify(Notify.REDIRECT, gatewayId(to, ni))], path);
  return { sa: undefined, outputs: [answer, redirected(to, { spiI, spiR, path })] };
}

/** §5, §6: protected by the IKE SA, so without a nonce. */
export const redirection = (to: Identity): PayloadOf<'N'> => notify(Notify.REDIRECT, gatewayId(to, EMPTY));

export const redirected = (to: Identity, sa: Pick<IkeSa, 'spiI' | 'spiR' | 'path'>): Output =>
  event({ name: 'redirected', to: hostOf(TYPES[to.idType] ?? 0, to.data), connection: undefined, ...which(sa) });

/** Client: that it can be sent elsewhere, or who sent it here (§9.1, §9.3). */
export function redirectOffer({ redirects }: Connection): Payload[] {
  if (!redirects) return [];
  if (!redirects.from) return [notify(Notify.REDIRECT_SUPPORTED)];
  const idType = redirects.from.length === 4 ? IdType.ID_IPV4_ADDR : IdType.ID_IPV6_ADDR;
  return [notify(Notify.REDIRECTED_FROM, gatewayId({ idType, data: redirects.from }, EMPTY))];
}

/** Client: the first answer sends us elsewhere. @throws ProtocolError (drop) unless it knows our nonce (§3: "silently discard"). */
export function followFirst(
  sa: IkeSa,
  { connection, nonce }: { connection: Connection; nonce: Bytes },
  notifies: Notifies,
): Step | undefined {
  const told = findNotify(notifies, Notify.REDIRECT);
  if (!told || !connection.redirects) return undefined;
  const { to, nonce: returned } = parse(told.data);
  if (!equalBytes(returned, nonce)) throw ProtocolError.malformed('a REDIRECT with another nonce than ours');
  return { sa: undefined, closes: 'redirected', outputs: [follows(to, sa)] };
}

/** Client: an authentic message sends us elsewhere. Undefined: none, or we do not follow. @throws ProtocolError for one that no rule knows. */
export function follow(sa: IkeSa, notifies: Notifies): Output | undefined {
  const told = findNotify(notifies, Notify.REDIRECT);
  return told && sa.connection?.redirects ? follows(parse(told.data).to, sa) : undefined;
}

const follows = (to: string, sa: IkeSa): Output =>
  event({ name: 'redirected', to, connection: sa.connection?.name, ...which(sa) });

/** §9.2: type, length, identity, nonce. */
const gatewayId = ({ idType, data }: Identity, nonce: Bytes): Bytes =>
  new Writer(2 + data.length + nonce.length)
    .u8(TYPES[idType] ?? 0)
    .u8(data.length)
    .bytes(data)
    .bytes(nonce)
    .finish();

function parse(data: Bytes): { to: string; nonce: Bytes } {
  const reader = new Reader(data);
  const type = reader.u8();
  const identity = reader.take(reader.u8());
  return { to: hostOf(type, identity), nonce: reader.rest() };
}

/** An address or a name that a resolver may be asked for, and nothing else. */
function hostOf(type: number, data: Bytes): string {
  if (type === GatewayId.IPV4 && data.length === 4) return formatAddress(data);
  if (type === GatewayId.IPV6 && data.length === 16) return formatAddress(data);
  const name = String.fromCharCode(...data);
  if (
    type === GatewayId.FQDN &&
    /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?$/i.test(name)
  )
    return name;
  throw ProtocolError.malformed('a REDIRECT to what is no gateway');
}
