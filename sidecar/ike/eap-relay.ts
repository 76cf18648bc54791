/**
 * EAP at the responder (RFC 7296 §2.16): carries packets between the peer and whoever speaks the method, and keeps what the peer
 * asked for until it has proven itself.
 *
 *     HDR, SK {IDi, [IDr,] [CP,] SAi2, TSi, TSr, N+}   -->          question: begin
 *                  <--   HDR, SK {IDr, [CERT,] [AUTH,] EAP}         answer: a packet
 *     HDR, SK {EAP}  -->                                            question: the packet
 *                  <--   HDR, SK {EAP (success)}                    answer: success
 *     HDR, SK {AUTH}  -->   and then as after any other IKE_AUTH
 */
import { failed } from './authentication.ts';
import type { Context } from './context.ts';
import type { EapAnswer } from './eap.ts';
import { grantingRule } from './eap-authentication.ts';
import { ProtocolError } from './error.ts';
import { gone } from './gone.ts';
import type { EapAsked, EapProven, EapSent } from './handshake-phase.ts';
import { type IkeSa, type InPhase, ownSpi } from './sa.ts';
import { event, type Output, type Reply, type Step, which } from './step.ts';
import { answer } from './window.ts';
import { type Bytes, Reader } from './wire/bytes.ts';
import { eapBody, eapBytes } from './wire/eap-payload.ts';
import { decodePayloads, encodePayloads, type Payload } from './wire/payload.ts';
import { EapCode, Exchange, Notify } from './wire/registry.ts';
import { shape } from './wire/shape.ts';

/** A method needs ten at most; long chains of certificates, and prompts of RADIUS, some more. */
const MAX_ROUNDS = 40;
/** Of what the first request asked for: it is kept for somebody who has proven nothing. */
const MAX_ASKED_BYTES = 8_192;

export type Opening = Pick<EapAsked, 'claimed' | 'local' | 'rule' | 'method' | 'eapOnly' | 'opening'>;

/** The peer wants EAP, and a rule lets it. `payloads`: its first IKE_AUTH request. */
export function begin(sa: InPhase<'halfOpen'>, payloads: readonly Payload[], opening: Opening): Reply {
  const { name: _, formerKeys: _keys, resumed: _resumed, moves: _moves, ...halfOpen } = sa.phase;
  const phase: EapAsked = { name: 'eapAsked', ...halfOpen, ...opening, asked: kept(payloads), rounds: 0 };
  return ask({ ...sa, phase }, undefined);
}

/** For what is the same after EAP as without it. */
export function asBefore({ phase, ...sa }: InPhase<'eapProven'>): InPhase<'halfOpen'> {
  const { claimed: _, local: _local, rule: _rule, method: _method, eapOnly: _only, ...rest } = phase;
  const { asked: _asked, rounds: _rounds, outcome: _outcome, ...halfOpen } = rest;
  return { ...sa, phase: { ...halfOpen, name: 'halfOpen', formerKeys: undefined, resumed: undefined, moves: 0 } };
}

const carried = shape({ eap: 'EAP', notifies: 'N*' });

/** The peer's next packet. */
export function carry(sa: InPhase<'eapSent'>, payloads: readonly Payload[]): Reply {
  const { eap } = carried(payloads);
  if (eap.code !== EapCode.RESPONSE) throw failed('an EAP packet of the wrong direction');
  const rounds = sa.phase.rounds + 1;
  if (rounds > MAX_ROUNDS) throw failed('an EAP conversation without end');
  return ask({ ...sa, phase: { ...sa.phase, name: 'eapAsked', opening: [], rounds } }, eapBytes(eap));
}

/** RFC 7296 §2.1: the request waits; its repetitions are not answered before it is. */
function ask(sa: InPhase<'eapAsked'>, message: Bytes | undefined): Reply {
  const { method, rule: name, claimed } = sa.phase;
  const question = { conversation: ownSpi(sa), side: 'server', method, name, message, claimed, ...sa.path } as const;
  const waiting = { ...sa, window: { ...sa.window, fragments: undefined } };
  return { sa: waiting, payloads: undefined, outputs: [{ type: 'eap', question }] };
}

/** What whoever speaks EAP says. @throws ProtocolError (abort) for an outcome that grants nothing here. */
export function answered(sa: InPhase<'eapAsked'>, given: EapAnswer, ctx: Context): Step {
  const { name: _, opening, ...served } = sa.phase;
  switch (given.is) {
    case 'packet':
      return reply(
        sa,
        { ...sa, phase: { ...served, name: 'eapSent' } satisfies EapSent },
        [...opening, packet(given.message)],
        ctx,
      );
    case 'success': {
      const { is: _is, message, ...outcome } = given;
      const phase: EapProven = { ...served, name: 'eapProven', outcome };
      grantingRule(phase, ctx);
      return reply(sa, { ...sa, phase }, [...opening, packet(message)], ctx);
    }
    case 'failure':
      return refuse(sa, given, ctx);
  }
}

/** RFC 7296 §2.16: "if the authentication method has failed, the responder MUST send an EAP payload containing the Failure message". */
function refuse(sa: InPhase<'eapAsked'>, { message, why }: Extract<EapAnswer, { is: 'failure' }>, ctx: Context): Step {
  if (!message) throw new ProtocolError('abort', Notify.AUTHENTICATION_FAILED, why);
  const dead = reply(sa, gone(sa, ctx), [packet(message)], ctx);
  const refused: Output = event({
    ...{ name: 'refused', by: 'us', exchange: 'IKE_AUTH', notify: 'AUTHENTICATION_FAILED', reason: why },
    ...which(sa),
  });
  return { ...dead, closes: 'authentication failed', outputs: [...dead.outputs, refused] };
}

function reply(sa: InPhase<'eapAsked'>, after: IkeSa, payloads: readonly Payload[], ctx: Context): Step {
  const request = { exchange: Exchange.IKE_AUTH, messageId: sa.window.expected, path: sa.path };
  return answer(sa, after, request, payloads, ctx);
}

/** Compact, and without what belonged to proofs: nothing else of the request stays in memory. */
function kept(payloads: readonly Payload[]): readonly Payload[] {
  const { first, bytes } = encodePayloads(payloads.filter(({ kind }) => KEPT.includes(kind)));
  if (bytes.length > MAX_ASKED_BYTES) throw failed('a request with EAP that is too long');
  return decodePayloads(first, new Reader(bytes));
}

const KEPT: readonly Payload['kind'][] = ['IDi', 'IDr', 'SA', 'TSi', 'TSr', 'CP', 'N'];

const packet = (message: Bytes): Payload => ({ kind: 'EAP', ...eapBody(message) });
