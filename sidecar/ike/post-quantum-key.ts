/** Post-quantum pre-shared keys at the gateway (RFC 8784): which one the peer names in IKE_AUTH, and what it makes of the keys. */
import { prfOf } from './algorithms.ts';
import type { Context } from './context.ts';
import type { IkeKeys } from './crypto/keymat.ts';
import { ProtocolError } from './error.ts';
import { findNotify, type Notifies } from './first-exchange.ts';
import type { HalfOpen } from './handshake-phase.ts';
import type { InPhase } from './sa.ts';
import { inForce } from './terms.ts';
import type { Bytes } from './wire/bytes.ts';
import { notify, type Payload, type PayloadOf } from './wire/payload.ts';
import { Notify } from './wire/registry.ts';

/** RFC 8784 §5.1: the first octet of a PPK_ID. */
export const PPK_ID_FIXED = 2;

interface Asked {
  readonly auth: PayloadOf<'AUTH'> | undefined;
  readonly notifies: Notifies;
}

interface Mixed<A> {
  readonly sa: InPhase<'halfOpen'>;
  readonly asked: A;
  /** For the response. */
  readonly told: readonly Payload[];
}

/** The SA and the request as authentication is to see them. RFC 8784 §3, table 1. @throws ProtocolError (abort, AUTHENTICATION_FAILED) */
export function mixedIn<A extends Asked>(sa: InPhase<'halfOpen'>, asked: A, ctx: Context): Mixed<A> {
  const { phase } = sa;
  const { config } = inForce(ctx);
  const mixed = phase.ppk ? chosen(sa, asked, ctx) : { sa, asked, told: [] };
  // The policy may have become stricter since IKE_SA_INIT.
  if (config.ike.postQuantum === 'required' && !mixed.sa.phase.postQuantum) throw failed('not safe from quantum computers');
  return mixed;
}

function chosen<A extends Asked>(sa: InPhase<'halfOpen'>, asked: A, ctx: Context): Mixed<A> {
  const { config, credentials } = inForce(ctx);
  const id = findNotify(asked.notifies, Notify.PPK_IDENTITY)?.data;
  // RFC 8784 §3: with USE_PPK from both there must be a PPK_IDENTITY.
  if (!id) throw failed('no PPK_IDENTITY');
  const secret = id[0] === PPK_ID_FIXED ? credentials.ppk(id.subarray(1)) : undefined;
  if (secret) return { sa: { ...sa, phase: mix(sa.phase, secret, ctx) }, asked, told: [notify(Notify.PPK_IDENTITY)] };
  const plain = findNotify(asked.notifies, Notify.NO_PPK_AUTH)?.data;
  if (config.ike.ppk === 'required' || !plain || !asked.auth) throw failed('an unknown post-quantum key');
  // RFC 8784 §3: the proof without it, by the method that AUTH names.
  return { sa, asked: { ...asked, auth: { ...asked.auth, data: plain } }, told: [] };
}

/** RFC 8784 §3: SK_d = prf+ (PPK, SK_d'), and so SK_pi and SK_pr. */
export function mix<P extends Pick<HalfOpen, 'suite' | 'keys' | 'postQuantum'>>(
  phase: P,
  secret: Bytes,
  ctx: Pick<Context, 'crypto'>,
): P {
  const prf = prfOf(ctx.crypto, phase.suite);
  const { d, pi, pr } = phase.keys;
  const through = (key: Bytes): Bytes => prf.expand(secret, key, prf.length);
  const keys: IkeKeys = { ...phase.keys, d: through(d), pi: through(pi), pr: through(pr) };
  return { ...phase, keys, postQuantum: true };
}

const failed = (why: string): ProtocolError => new ProtocolError('abort', Notify.AUTHENTICATION_FAILED, why);
