/**
 * Hand-off: an SA that another pod began goes on here. UDP 500 and 4500 of one client reach different pods, so the pod that
 * receives IKE_AUTH asks the one that the responder's SPI names; that one forgets the SA in the step in which it gives it.
 * A client that changes its address reaches another pod too, with any request: an established SA moves only for one that is
 * authentic and new, which goes along with the question, so that no stranger and no recording can pull it away from its traffic.
 *
 *     IKE_AUTH --> B      B --> A   fetch (SPI pair)
 *                         A --> B   the SA, once; later questions: moved to B
 *
 *     INFORMATIONAL --> B     B --> A   fetch (SPI pair, the datagram)
 *                             A --> B   the SA with its children's keys; or the answer that was given already; or unproven
 */
import type { Context } from './context.ts';
import { ProtocolError } from './error.ts';
import { admit, NO_DATAPLANE } from './first-exchange.ts';
import { type Giving, HandedOver } from './handed-over.ts';
import type { Telling } from './lease-exchange.ts';
import { ownerOf } from './owned-spi.ts';
import type { Answer, PeerKeys, Question } from './peer-channel.ts';
import { type Fetch, PENDING_MS, type Pending, PendingFetches, type Waiting } from './pending-fetches.ts';
import { type IkeSa, type Instant, later, type Path, pairOf, type SpiPair } from './sa.ts';
import { heldBy, isOfSession } from './session-move.ts';
import { ShortMemory } from './short-memory.ts';
import type { Words } from './siblings.ts';
import { event, type Output } from './step.ts';
import { decodeMoving, takeOver } from './taken-over.ts';
import { inForce } from './terms.ts';
import type { Bytes } from './wire/bytes.ts';
import type { Message } from './wire/message.ts';
import { Exchange, Notify } from './wire/registry.ts';

type Keys = PeerKeys & { readonly member: { readonly ordinal: number } };

/** A new question, or one to repeat as it was: the same nonce gets the same answer. */
export type Next = { readonly to: number; readonly words: Words } | { readonly repeat: Fetch };

interface Ask {
  readonly next?: Next;
  readonly outputs: readonly Output[];
}

interface Taken {
  readonly sa?: IkeSa;
  readonly waiting: readonly Waiting[];
  readonly next?: Next;
  readonly tell?: readonly Telling[];
  /** Our SPIs of SAs that have lost their address. */
  readonly closes?: readonly string[];
  readonly outputs: readonly Output[];
}
const NOTHING_TAKEN: Taken = { waiting: [], outputs: [] };

const MAX_HOPS = 3;
const MAX_TRIES = 3;
const GONE_MS = 5_000;
const MAX_GONE = 16_384;
/** A request that is longer moves no SA: its client comes back with a ticket. */
const MAX_PROOF_BYTES = 8_192;

export class HandOff {
  readonly #fetches = new PendingFetches();
  readonly #handedOver = new HandedOver();
  /** SAs of which we know that nobody has them. */
  readonly #gone = new ShortMemory<true>(MAX_GONE);

  /** A message for an SA that is not here. Undefined when no sibling can have it. @throws ProtocolError (drop) when there is no place for it. */
  receive(message: Message, datagram: Waiting, keys: Keys, ctx: Context): Ask | undefined {
    const { spiI, spiR } = message;
    const proof = isOfSession(message.exchange) ? datagram.bytes : undefined;
    if (!couldBeFirstOnNewPath(message) || (proof && !hasPlace(proof, ctx))) return undefined;
    // Where it is now it is carried; or its client, which hears nothing, comes back.
    if (!ctx.carrying) throw new ProtocolError('drop', Notify.TEMPORARY_FAILURE, NO_DATAPLANE);
    this.#fetches.rest(ctx.now);
    const known = this.#fetches.get(message);
    if (known) this.#fetches.keep(known, datagram);
    if (known || this.#gone.get(pairOf(message), ctx.now)) return known && { outputs: [] };
    const silent = this.#fetches.silent(message, ctx.now);
    const to = silent ? silent.question.to : this.#whomToAsk(message, keys, ctx);
    if (to === undefined) return undefined;
    if (!proof) admit(datagram.path, ctx);
    if (!this.#fetches.hasPlace(ctx.now)) return { outputs: [failed('crowded', message)] };
    this.#fetches.begin(message, datagram, silent?.hops ?? 1, ctx.now);
    return { next: silent ? { repeat: silent.question } : { to, words: { kind: 'fetch', spiI, spiR, proof } }, outputs: [] };
  }

  /** This question is on its way. */
  asking(question: Fetch): void {
    const pending = this.#fetches.get(question);
    if (pending) pending.question = question;
  }

  /** Random SPIs cost a MAC and no question; an ordinal that this gateway does not have is nobody. */
  #whomToAsk(message: Message, keys: Keys, ctx: Context): number | undefined {
    const owner = ownerOf(ourSpi(message), keys);
    const { slices } = inForce(ctx).config;
    if (owner === undefined || owner >= slices) return undefined;
    return this.#handedOver.whereIs(message, ctx.now) ?? (owner === keys.member.ordinal ? undefined : owner);
  }

  /** Our answer to a sibling. The SA ends here in the same step. */
  give(question: Fetch, ctx: Context): Giving {
    return this.#handedOver.give(question, ctx);
  }

  settled(question: Extract<Question, { kind: 'settled' }>, ctx: Context): Giving {
    return this.#handedOver.settled(question, ctx);
  }

  /** A sibling's answer to us; undefined: there was none. */
  conclude(question: Fetch, answer: Answer | undefined, keys: Keys, ctx: Context): Taken {
    const { member } = keys;
    const known = this.#fetches.get(question);
    const pending = known?.question === question ? known : undefined;
    // Whatever became of the question: whoever gave us the SA has forgotten it.
    if (answer?.kind === 'sa') return this.#take(answer, question, pending, keys, ctx);
    if (!pending) return NOTHING_TAKEN;
    if (answer === undefined) return this.#repeat(question, pending, ctx);
    if (answer.kind === 'moved' && answer.to !== member.ordinal && pending.hops < MAX_HOPS) {
      pending.hops += 1;
      pending.tries = 1;
      return { ...NOTHING_TAKEN, next: { to: answer.to, words: wordsOf(question) } };
    }
    if (answer.kind === 'unproven' || answer.kind === 'repeat') return this.#goOn(question, pending, answer);
    this.#fetches.finish(question, pending);
    // It was moved to us, but under a question that we have forgotten: nobody can tell what became of it.
    if (answer.kind !== 'moved' || answer.to !== member.ordinal) this.#gone.set(pairOf(question), true, later(ctx.now, GONE_MS));
    return { ...NOTHING_TAKEN, outputs: [failed('gone', question)] };
  }

  #repeat(question: Fetch, pending: Pending, ctx: Context): Taken {
    if (pending.tries < MAX_TRIES && ctx.now - pending.since < PENDING_MS) {
      pending.tries += 1;
      return { ...NOTHING_TAKEN, next: { repeat: question } };
    }
    this.#fetches.silence(question, pending);
    return { ...NOTHING_TAKEN, outputs: [failed('silent', question)] };
  }

  /** The SA stays where it is; what else waits may be the proof. */
  #goOn(question: Fetch, pending: Pending, answer: Extract<Answer, { kind: 'unproven' | 'repeat' }>): Taken {
    const { path } = pending.waiting[0] ?? pending;
    const datagrams = answer.kind === 'repeat' ? answer.datagrams : [];
    const outputs = datagrams.map((bytes): Output => ({ type: 'send', path, bytes }));
    this.#fetches.dropFirst(pending);
    const proof = pending.waiting[0]?.bytes;
    if (!proof) {
      this.#fetches.finish(question, pending);
      return { ...NOTHING_TAKEN, outputs };
    }
    pending.tries = 1;
    return { ...NOTHING_TAKEN, outputs, next: { to: question.to, words: { ...wordsOf(question), proof } } };
  }

  #take(
    { sa: encoded, leftMs }: Extract<Answer, { kind: 'sa' }>,
    question: Fetch,
    pending: Pending | undefined,
    keys: Keys,
    ctx: Context,
  ): Taken {
    const path = pending?.waiting[0]?.path ?? pending?.path ?? this.#fetches.silent(question, ctx.now)?.path;
    const waiting = this.#fetches.finish(question, pending);
    const sa = decodeMoving(encoded, question);
    if (heldBy(question, ctx)) return { ...NOTHING_TAKEN, waiting }; // it came with the answer to the same question before
    if (!sa) return { ...NOTHING_TAKEN, outputs: [failed('unreadable', question)] };
    this.#handedOver.isBack(sa);
    return { waiting, ...takeOver(sa, { from: question.to, path, leftMs }, keys, ctx) };
  }

  /** The response to a first request that we gave before its SA moved away. */
  firstResponse(spiI: string, request: Bytes, path: Path, now: Instant): Output[] | undefined {
    return this.#handedOver.firstResponse(spiI, request, path, now);
  }

  prune(now: Instant): void {
    for (const memory of [this.#fetches, this.#handedOver, this.#gone]) memory.prune(now);
  }

  get isEmpty(): boolean {
    return this.#fetches.isEmpty && this.#handedOver.isEmpty && this.#gone.size === 0;
  }
}

const wordsOf = ({ spiI, spiR, proof }: Fetch) => ({ kind: 'fetch', spiI, spiR, proof }) as const;

/** RFC 7296 §2.1: the flag tells which of the two is of our side. */
const ourSpi = ({ initiator, spiI, spiR }: Message): string => (initiator ? spiR : spiI);

const hasPlace = (proof: Bytes, ctx: Context): boolean =>
  proof.length <= MAX_PROOF_BYTES && ctx.sessions < inForce(ctx).config.ike.maxSessions;

/** Never responses, never garbage: the first protected request of an SA, or any request of one that is established. */
const couldBeFirstOnNewPath = ({ response, initiator, exchange, messageId, encrypted }: Message): boolean =>
  !response &&
  encrypted !== undefined &&
  (isOfSession(exchange) ||
    (initiator && messageId === 1 && (exchange === Exchange.IKE_AUTH || exchange === Exchange.IKE_INTERMEDIATE)));

const failed = (reason: 'gone' | 'silent' | 'unreadable' | 'crowded', { spiR }: SpiPair): Output =>
  event({ name: 'hand-off-failed', reason, spiR });
