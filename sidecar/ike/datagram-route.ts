/** The way of a datagram: to the SA that it is for, or to nobody, and to the step that it causes. */
import type { Commitment } from './commitment.ts';
import type { Context } from './context.ts';
import * as dispatch from './dispatch.ts';
import { ProtocolError } from './error.ts';
import { NOT_READY, type Stage, UNKNOWN_SPI } from './failure.ts';
import { NO_DATAPLANE } from './first-exchange.ts';
import { gone } from './gone.ts';
import { heardFrom } from './peer-path.ts';
import type { SecuredSa } from './protection.ts';
import { receive } from './reception.ts';
import { type IkeSa, inPhase, ownSpi, type Path } from './sa.ts';
import type { SaTable } from './sa-table.ts';
import { isOfSession } from './session-move.ts';
import type { Siblings } from './siblings.ts';
import { NOTHING, type Output, type Step } from './step.ts';
import { decidedBy } from './succession.ts';
import { answer, concluded, isFirstExchange, repeat } from './window.ts';
import { type Bytes, equalBytes, Reader } from './wire/bytes.ts';
import { decodeHeader, decodeMessage, type Header, type Message, NO_SPI } from './wire/message.ts';
import { decodePayloads, type Payload, SK, SKF } from './wire/payload.ts';
import { Exchange, Notify } from './wire/registry.ts';

type Outputs = readonly Output[];

/** More than any first request needs, with room for key exchanges to come; it is kept until IKE_AUTH. */
const MAX_FIRST_BYTES = 8_192;
const TOO_LONG = 'a first request that is too long';

export class DatagramRoute {
  readonly #sas: SaTable;
  readonly #siblings: Siblings;
  readonly #steps: Commitment;

  constructor(sas: SaTable, siblings: Siblings, steps: Commitment) {
    this.#sas = sas;
    this.#siblings = siblings;
    this.#steps = steps;
  }

  receive(datagram: Bytes, path: Path, ctx: Context): Outputs {
    const stage: Stage = { path, datagram, message: undefined, sa: undefined, authentic: undefined, outputs: NOTHING };
    return this.#steps.guarded(stage, ctx, () => this.#route(stage, ctx));
  }

  #route(stage: Stage, ctx: Context): Outputs {
    const { datagram, path } = stage;
    // Nothing is decoded before it is known that somebody may want it.
    const header = decodeHeader(datagram);
    const begins = header.spiR === NO_SPI && !header.response;
    stage.sa = begins ? undefined : this.#find(header);
    if (begins ? datagram.length > MAX_FIRST_BYTES : !stage.sa && !mayBeSiblings(header, datagram))
      throw new ProtocolError('drop', Notify.INVALID_IKE_SPI, begins ? TOO_LONG : UNKNOWN_SPI);
    const message = decodeMessage(datagram);
    stage.message = message;
    if (begins) return this.#first(message, stage, ctx);
    if (!stage.sa) return this.#unknown(message, datagram, path, ctx);
    if (inPhase(stage.sa, 'initSent', 'resumeSent')) return this.#concludeFirst(stage.sa, message, datagram, ctx);
    return this.#protected(stage.sa as SecuredSa, message, stage, ctx);
  }

  /** A request that begins an SA, or its repetition. */
  #first(message: Message, stage: Stage, ctx: Context): Outputs {
    const { path, datagram } = stage;
    // RFC 7296 §3.1: the Initiator flag is set by whoever begins.
    if (!isFirstExchange(message.exchange) || message.messageId !== 0 || !message.initiator)
      throw new ProtocolError('drop', Notify.INVALID_IKE_SPI, UNKNOWN_SPI);
    // RFC 7296 §2.1: "the responder ... MUST ... retransmit its response".
    const known = this.#sas.byFirstRequest(message.spiI, path.remote);
    if (known && inPhase(known, 'halfOpen') && equalBytes(known.phase.first.initiator, datagram))
      return known.window.expected === 1 ? repeat(known, path) : NOTHING; // a copy that comes late
    const moved = this.#siblings.firstResponse(message.spiI, datagram, path, ctx.now);
    if (moved) return moved;
    if (!this.#siblings.settled(ctx.now)) throw new ProtocolError('drop', Notify.TEMPORARY_FAILURE, NOT_READY);
    return this.#steps.commit(undefined, dispatch.respondFirst(message, datagram, path, ctx), ctx);
  }

  #concludeFirst(sa: Parameters<typeof dispatch.concludeFirst>[0], message: Message, datagram: Bytes, ctx: Context): Outputs {
    const asked = sa.phase.name === 'initSent' ? Exchange.IKE_SA_INIT : Exchange.IKE_SESSION_RESUME;
    if (!message.response || message.messageId !== 0 || message.exchange !== asked)
      throw new ProtocolError('drop', Notify.INVALID_SYNTAX, dispatch.UNEXPECTED);
    return this.#steps.commit(sa, dispatch.concludeFirst(sa, message, datagram, ctx), ctx);
  }

  #protected(sa: SecuredSa, message: Message, stage: Stage, ctx: Context): Outputs {
    // The gateway may be sure of us before we are of it: what it asks then comes again, or comes to nothing.
    if (inPhase(sa, 'intermediateSent', 'authSent', 'eapHeard', 'eapSaid', 'eapAuthSent') && !message.response)
      throw new ProtocolError('drop', Notify.INVALID_SYNTAX, dispatch.UNEXPECTED);
    // The peer repeats the request that waits for its answer.
    if (inPhase(sa, 'eapAsked')) throw new ProtocolError('drop', Notify.INVALID_SYNTAX, dispatch.UNEXPECTED);
    // Not an error to the peer (see `admit`): it repeats itself, and what it has proved already is not lost.
    if (!ctx.carrying && inPhase(sa, 'halfOpen', 'eapSent', 'eapProven') && message.exchange === Exchange.IKE_AUTH)
      throw new ProtocolError('drop', Notify.TEMPORARY_FAILURE, NO_DATAPLANE);
    const reception = receive(sa, message, ctx);
    if (reception.is === 'repetition') return repeat(sa, stage.path);
    if (reception.is === 'fragment') return this.#steps.commit(sa, { sa: reception.sa, outputs: NOTHING }, ctx);
    stage.authentic = sa;
    const payloads = decodePayloads(reception.first, new Reader(reception.bytes));
    const { sa: heard, outputs } = heardFrom(sa, message, stage.path, ctx);
    stage.authentic = heard;
    stage.outputs = outputs;
    if (message.response)
      return [...outputs, ...this.#steps.commit(sa, dispatch.conclude(concluded(heard), payloads, ctx, reception), ctx)];
    const asked = this.#decided(heard, payloads, stage, ctx);
    const reply = dispatch.respond(asked, message.exchange, payloads, ctx, stage.path, reception);
    return [...stage.outputs, ...this.#steps.commit(asked, this.#reply(asked, message, stage.path, reply, ctx), ctx)];
  }

  /** The SA as it is once the request itself has shown which of two rekeys that met is the one that stays. */
  #decided(heard: SecuredSa, payloads: readonly Payload[], stage: Stage, ctx: Context): SecuredSa {
    const decision = decidedBy(heard, payloads, ctx);
    if (!decision) return heard;
    this.#steps.put(heard, ctx);
    stage.outputs = [...stage.outputs, ...this.#steps.commit(decision.old, decision.step, ctx)];
    stage.sa = this.#sas.get(ownSpi(heard));
    stage.authentic = stage.sa as SecuredSa;
    return stage.authentic;
  }

  #reply(
    sa: SecuredSa,
    message: Message,
    path: Path,
    { payloads, ...step }: ReturnType<typeof dispatch.respond>,
    ctx: Context,
  ): Step {
    if (!payloads) return step;
    const answered = answer(sa, step.sa ?? gone(sa, ctx), { ...message, path }, payloads, ctx);
    // A child is there before it is promised.
    return { ...step, sa: answered.sa, outputs: [...step.outputs, ...answered.outputs] };
  }

  /** RFC 7296 §2.1: the flag tells which of the two SPIs is ours. */
  #find(message: Header): IkeSa | undefined {
    const sa = this.#sas.get(message.initiator ? message.spiR : message.spiI);
    if (!sa || (sa.role === 'responder') !== message.initiator) return undefined;
    const peerSpi = sa.role === 'responder' ? sa.spiI === message.spiI : sa.spiR === NO_SPI || sa.spiR === message.spiR;
    return peerSpi ? sa : undefined;
  }

  /** Nobody here; perhaps a sibling has it. */
  #unknown(message: Message, datagram: Bytes, path: Path, ctx: Context): Outputs {
    // An SA that is taken over wants an address too.
    if (!this.#siblings.settled(ctx.now)) throw new ProtocolError('drop', Notify.TEMPORARY_FAILURE, NOT_READY);
    const asked = this.#siblings.receive(message, { path, bytes: datagram }, ctx);
    if (asked) return asked;
    throw new ProtocolError('drop', Notify.INVALID_IKE_SPI, UNKNOWN_SPI);
  }
}

/** RFC 7383 §2.5, RFC 7296 §3.14: a protected request of an SA that is not here holds one payload, an encrypted one. */
const mayBeSiblings = ({ response, exchange, initiator, messageId }: Header, datagram: Bytes): boolean =>
  !response && (isOfSession(exchange) || (initiator && messageId === 1)) && (datagram[16] === SK || datagram[16] === SKF);
