/**
 * EAP at the initiator (RFC 7296 §2.16): a request without AUTH, then packets between the gateway and whoever speaks EAP for us, then
 * the proofs by the key of the method. The gateway proves itself by its certificate first, unless EAP-only was asked for (RFC 5998).
 */
import { sharedKeyAuth } from './auth.ts';
import { failed } from './authentication.ts';
import type { Context } from './context.ts';
import type { EapAnswer, EapQuestion } from './eap.ts';
import { ProtocolError } from './error.ts';
import { answeredHandshake } from './first-exchange.ts';
import type { AuthSent, EapSaid, EapTaken } from './handshake-phase.ts';
import { provenWithPpk } from './own-post-quantum-key.ts';
import { type InPhase, later, ownSpi } from './sa.ts';
import type { Step } from './step.ts';
import { request } from './window.ts';
import type { Bytes } from './wire/bytes.ts';
import { eapBody, eapBytes } from './wire/eap-payload.ts';
import type { PayloadOf } from './wire/payload.ts';
import { AuthMethod, EapCode, Exchange, Notify } from './wire/registry.ts';

/** RFC 7296 §2.16: "needs to be capable of extending the initial protocol exchange to at least ten IKE_AUTH exchanges". */
const MAX_ROUNDS = 40;
/** For whoever types a password. */
const ANSWER_MS = 60_000;

/** The gateway's first packet. */
export function begin(
  sa: InPhase<'authSent'>,
  eap: PayloadOf<'EAP'>,
  { remote, shown }: Pick<EapTaken, 'remote' | 'shown'>,
  ctx: Context,
): Step {
  const { name: _, ...phase } = sa.phase;
  return hear(sa, { ...phase, remote, shown, rounds: 0 }, eap, ctx);
}

/** The gateway's next packet. */
export function carry(sa: InPhase<'eapSaid'>, eap: PayloadOf<'EAP'>, ctx: Context): Step {
  const { name: _, ...phase } = sa.phase;
  const rounds = phase.rounds + 1;
  if (rounds > MAX_ROUNDS) throw failed('an EAP conversation without end');
  return hear(sa, { ...phase, rounds }, eap, ctx);
}

function hear(sa: InPhase<'authSent' | 'eapSaid'>, taken: EapTaken, eap: PayloadOf<'EAP'>, ctx: Context): Step {
  if (eap.code === EapCode.RESPONSE) throw failed('an EAP packet of the wrong direction');
  const { connection, handshake } = taken;
  const question: EapQuestion = {
    ...{ conversation: ownSpi(sa), side: 'peer', method: undefined, name: connection.name, message: eapBytes(eap) },
    ...{ claimed: connection.local, ...sa.path },
  };
  const phase = {
    ...taken,
    name: 'eapHeard',
    handshake: answeredHandshake(handshake),
    until: later(ctx.now, ANSWER_MS),
  } as const;
  return { sa: { ...sa, phase }, outputs: [{ type: 'eap', question }] };
}

/** For what is the same after EAP as without it. */
export function asBefore(sa: InPhase<'eapSaid' | 'eapAuthSent'>): InPhase<'authSent'> {
  const { phase } = sa;
  if (phase.name === 'eapSaid') return { ...sa, phase: before(phase) };
  const { msk: _, ...taken } = phase;
  return { ...sa, phase: before(taken) };
}

function before({ remote: _, shown: _shown, rounds: _rounds, ...phase }: EapTaken): AuthSent {
  return { ...phase, name: 'authSent' };
}

/** What whoever speaks EAP for us says. @throws ProtocolError (abort, AUTHENTICATION_FAILED) */
export function answered(sa: InPhase<'eapHeard'>, given: EapAnswer, ctx: Context): Step {
  const { name: _, until: _until, ...taken } = sa.phase;
  if (given.is === 'failure') throw new ProtocolError('abort', Notify.AUTHENTICATION_FAILED, `EAP: ${given.why}`);
  if (given.is === 'packet') {
    const phase: EapSaid = { ...taken, name: 'eapSaid' };
    return request({ ...sa, phase }, Exchange.IKE_AUTH, [{ kind: 'EAP', ...eapBody(given.message) }], ctx);
  }
  const { msk, mutual } = given;
  // RFC 5998 §4: mutual, and key-generating.
  if (!taken.shown && !(mutual && msk)) throw failed('a method of EAP that does not prove the gateway');
  const { payloads, notifies } = provenWithPpk(taken, (keyed) => [proofBy(msk, keyed, ctx)], ctx);
  const phase = { ...taken, name: 'eapAuthSent', msk } as const;
  return request({ ...sa, phase }, Exchange.IKE_AUTH, [...payloads, ...notifies], ctx);
}

function proofBy(msk: Bytes | undefined, taken: EapTaken, ctx: Context): PayloadOf<'AUTH'> {
  const data = sharedKeyAuth(taken, 'initiator', taken.connection.local, msk ?? taken.keys.pi, ctx);
  return { kind: 'AUTH', method: AuthMethod.SHARED_KEY, data };
}
