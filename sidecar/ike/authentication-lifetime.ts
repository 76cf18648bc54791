/** AUTH_LIFETIME (RFC 4478): the gateway tells how long an authentication counts; the client authenticates anew before. */
import { earlier, type Proven } from './authentication.ts';
import type { Context } from './context.ts';
import { findNotify, type Notifies } from './first-exchange.ts';
import { later, NEVER } from './sa.ts';
import type { EstablishedSa } from './ticket-request.ts';
import { Reader, u32Bytes } from './wire/bytes.ts';
import { notify, type PayloadOf } from './wire/payload.ts';
import { Notify } from './wire/registry.ts';

/** RFC 4478 §3: seconds, 4 octets; where it never ends there is nothing to tell. */
export function authenticationLifetime({ phase }: EstablishedSa, ctx: Context): PayloadOf<'N'>[] {
  if (phase.reauthenticateBy === NEVER) return [];
  const seconds = Math.max(0, Math.floor((phase.reauthenticateBy - ctx.now) / 1_000));
  return [notify(Notify.AUTH_LIFETIME, u32Bytes(Math.min(seconds, 0xffff_ffff)))];
}

/** RFC 4478 §2: "SHOULD initiate ... before" it ends: a tenth of the time, and no more than a minute. */
export function lifetimeGiven(who: Proven, notifies: Notifies, ctx: Context): Proven {
  const told = findNotify(notifies, Notify.AUTH_LIFETIME);
  if (told?.data.length !== 4) return who;
  const lifetimeMs = new Reader(told.data).u32() * 1_000;
  const by = later(ctx.now, lifetimeMs - Math.min(60_000, lifetimeMs / 10));
  return { ...who, reauthenticateBy: earlier(who.reauthenticateBy, by) };
}
