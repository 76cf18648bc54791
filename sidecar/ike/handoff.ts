/**
 * Hand-off: an SA that another pod began goes on here. UDP 500 and 4500 of one client reach different pods, so the pod that
 * receives IKE_AUTH asks the one that the responder's SPI names; that one forgets the SA in the step in which it gives it.
 *
 *     IKE_AUTH --> B      B --> A   fetch (SPI pair)
 *                         A --> B   the SA, once; later questions: moved to B
 */
import { Allowance } from './allowance.ts';
import type { Context } from './context.ts';
import { admit } from './first-exchange.ts';
import { ownerOf } from './owned-spi.ts';
import type { Answer, PeerKeys, Question } from './peer-channel.ts';
import { type IkeSa, type InPhase, type Instant, inPhase, later, type Path } from './sa.ts';
import { decodeSa, encodeSa, SA_VERSION } from './sa-encoding.ts';
import { ShortMemory } from './short-memory.ts';
import type { Words } from './siblings.ts';
import { event, type Output, type Step, which } from './step.ts';
import { inForce } from './terms.ts';
import { type Bytes, equalBytes } from './wire/bytes.ts';
import type { Message } from './wire/message.ts';
import { Exchange } from './wire/registry.ts';

export interface Waiting {
  readonly path: Path;
  readonly bytes: Bytes;
}

type Fetch = Extract<Question, { kind: 'fetch' }>;
type Given = Extract<Answer, { kind: 'sa' }>;
type Member = { readonly member: { readonly ordinal: number } };
type SpiPair = Pick<IkeSa, 'spiI' | 'spiR'>;

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
  readonly outputs: readonly Output[];
}

/** A question in flight, and what waits for its answer. */
interface Pending {
  question: Fetch | undefined;
  readonly waiting: Waiting[];
  readonly since: Instant;
  bytes: number;
  hops: number;
  tries: number;
}

const QUESTIONS_PER_SECOND = 2_000;
const BURST = 500;
const MAX_PENDING = 2_048;
const MAX_WAITING_EACH = 16;
const MAX_WAITING_BYTES_EACH = 64 * 1024;
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
const MAX_HOPS = 3;
/** No SA is passed around. */
const MAX_MOVES = 3;
const MAX_TRIES = 3;
/** A question that nobody answers rests after this, until the client repeats itself. */
const PENDING_MS = 2_000;
/** How long a question that nobody answered is put again as it was; the giver must remember its answer for longer. */
const SILENT_MS = 8_000;
export const ANSWER_MS = 15_000;
const GONE_MS = 5_000;
/** A message that begins something on a new path is not repeated after so long. */
const MOVED_MS = 600_000;
const MAX_REMEMBERED = 16_384;
const MAX_FIRST_BYTES = 8 * 1024 * 1024;

export class HandOff {
  /** One question for each pair of SPIs. */
  readonly #pending = new Map<string, Pending>();
  #waitingBytes = 0;
  readonly #allowance = new Allowance(QUESTIONS_PER_SECOND, BURST);
  /** Questions without an answer: the SA may have been given to us in one that was lost. */
  readonly #silent = new ShortMemory<{ readonly question: Fetch; readonly hops: number }>(MAX_REMEMBERED);
  /** SAs of which we know that nobody has them. */
  readonly #gone = new ShortMemory<true>(MAX_REMEMBERED);
  /** The pods that we gave SAs to. */
  readonly #moved = new ShortMemory<number>(MAX_REMEMBERED);
  /** Initiator SPI and address → the first exchange that we answered, for its repetitions. */
  readonly #first = new ShortMemory<{ readonly request: Bytes; readonly response: readonly Bytes[] }>(
    MAX_REMEMBERED,
    MAX_FIRST_BYTES,
  );

  /** A message for an SA that is not here. Undefined when no sibling can have it. @throws ProtocolError (drop) when there is no place for it. */
  receive(message: Message, datagram: Waiting, keys: PeerKeys & Member, ctx: Context): Ask | undefined {
    const { spiI, spiR } = message;
    if (!couldBeFirstOnNewPath(message)) return undefined;
    this.#rest(ctx.now);
    const pair = pairOf(message);
    const known = this.#pending.get(pair);
    if (known) this.#keep(known, datagram);
    if (known || this.#gone.get(pair, ctx.now)) return known && { outputs: [] };
    const silent = this.#silent.get(pair, ctx.now);
    if (!silent) this.#silent.delete(pair);
    const to = silent ? silent.question.to : this.#whomToAsk(message, keys, ctx);
    if (to === undefined) return undefined;
    admit(datagram.path, ctx);
    if (this.#pending.size >= MAX_PENDING || !this.#allowance.take(ctx.now)) return { outputs: [failed('crowded', message)] };
    const pending: Pending = { question: undefined, waiting: [], bytes: 0, since: ctx.now, hops: silent?.hops ?? 1, tries: 1 };
    this.#pending.set(pair, pending);
    this.#keep(pending, datagram);
    return { next: silent ? { repeat: silent.question } : { to, words: { kind: 'fetch', spiI, spiR } }, outputs: [] };
  }

  /** This question is on its way. */
  asking(question: Fetch): void {
    const pending = this.#pending.get(pairOf(question));
    if (pending) pending.question = question;
  }

  /** Random SPIs cost a MAC and no question; an ordinal that this gateway does not have is nobody. */
  #whomToAsk(pair: SpiPair, keys: PeerKeys & Member, ctx: Context): number | undefined {
    const owner = ownerOf(pair.spiR, keys);
    const { slices } = inForce(ctx).config;
    if (owner === undefined || owner >= slices) return undefined;
    return owner === keys.member.ordinal ? this.#moved.get(pairOf(pair), ctx.now) : owner;
  }

  /** Our answer to a sibling. The SA ends here in the same step. */
  give(question: Fetch, ctx: Context): { answer: Answer; outputs: readonly Output[]; ends: NonNullable<Step['ends']> } {
    const sa = this.#movable(question, ctx);
    if (!sa) {
      const to = this.#moved.get(pairOf(question), ctx.now);
      return { answer: to === undefined ? { kind: 'gone' } : { kind: 'moved', to }, outputs: [], ends: [] };
    }
    this.#rememberFirst(sa);
    this.#moved.set(pairOf(sa), question.from, later(ctx.now, MOVED_MS));
    const outputs = [event({ name: 'handed-over', to: question.from, ...which(sa) })];
    const answer = { kind: 'sa', sa: encodeSa(sa), leftMs: sa.phase.until - ctx.now } as const;
    return { answer, outputs, ends: [{ spi: sa.spiR, why: 'handed over' }] };
  }

  #movable({ spiI, spiR }: SpiPair, ctx: Context): InPhase<'halfOpen'> | undefined {
    const sa = ctx.find(spiR);
    const isIt = sa && sa.spiI === spiI && inPhase(sa, 'halfOpen') && sa.window.expected === 1 && sa.phase.moves < MAX_MOVES;
    return isIt ? sa : undefined;
  }

  /** A sibling's answer to us; undefined: there was none. */
  conclude(question: Fetch, answer: Answer | undefined, { member }: Member, ctx: Context): Taken {
    const known = this.#pending.get(pairOf(question));
    const pending = known?.question === question ? known : undefined;
    // Whatever became of the question: whoever gave us the SA has forgotten it.
    if (answer?.kind === 'sa') return this.#take(answer, question, this.#finish(question, pending), ctx);
    if (!pending) return NOTHING_TAKEN;
    if (answer === undefined) return this.#repeat(question, pending, ctx);
    if (answer.kind === 'moved' && answer.to !== member.ordinal && pending.hops < MAX_HOPS) {
      pending.hops += 1;
      pending.tries = 1;
      const { spiI, spiR } = question;
      return { ...NOTHING_TAKEN, next: { to: answer.to, words: { kind: 'fetch', spiI, spiR } } };
    }
    this.#finish(question, pending);
    // It was moved to us, but under a question that we have forgotten: nobody can tell what became of it.
    if (answer.kind !== 'moved' || answer.to !== member.ordinal) this.#gone.set(pairOf(question), true, later(ctx.now, GONE_MS));
    return { ...NOTHING_TAKEN, outputs: [failed('gone', question)] };
  }

  firstResponse(spiI: string, request: Bytes, path: Path, now: Instant): Output[] | undefined {
    const known = this.#first.get(`${spiI} ${path.remote}`, now);
    if (!known || !equalBytes(known.request, request)) return undefined;
    return known.response.map((bytes) => ({ type: 'send', path, bytes }));
  }

  prune(now: Instant): void {
    this.#rest(now);
    for (const memory of [this.#silent, this.#gone, this.#moved, this.#first]) memory.prune(now);
  }

  get isEmpty(): boolean {
    return [this.#pending, this.#silent, this.#gone, this.#moved, this.#first].every(({ size }) => size === 0);
  }

  #repeat(question: Fetch, pending: Pending, ctx: Context): Taken {
    if (pending.tries < MAX_TRIES && ctx.now - pending.since < PENDING_MS) {
      pending.tries += 1;
      return { ...NOTHING_TAKEN, next: { repeat: question } };
    }
    this.#silence(question, pending);
    return { ...NOTHING_TAKEN, outputs: [failed('silent', question)] };
  }

  #take({ sa: encoded, leftMs }: Given, question: Fetch, waiting: readonly Waiting[], ctx: Context): Taken {
    const sa = encoded[0] === SA_VERSION ? decodeSa(encoded) : undefined;
    const { spiI, spiR, to: from } = question;
    if (ctx.find(spiR)) return { ...NOTHING_TAKEN, waiting }; // it came with the answer to the same question before
    if (!sa || sa.spiI !== spiI || sa.spiR !== spiR || !inPhase(sa, 'halfOpen'))
      return { ...NOTHING_TAKEN, outputs: [failed('unreadable', question)] };
    this.#moved.delete(pairOf(sa));
    return { sa: withTimeLeft(sa, leftMs, ctx), waiting, outputs: [event({ name: 'taken-over', from, ...which(sa) })] };
  }

  #rememberFirst(sa: InPhase<'halfOpen'>): void {
    const { first, until } = sa.phase;
    const response = sa.window.answered;
    const bytes = response.reduce((sum, { length }) => sum + length, first.initiator.length);
    this.#first.set(`${sa.spiI} ${sa.path.remote}`, { request: first.initiator, response }, until, bytes);
  }

  #keep(pending: Pending, datagram: Waiting): void {
    const { length } = datagram.bytes;
    if (pending.waiting.length >= MAX_WAITING_EACH || pending.bytes + length > MAX_WAITING_BYTES_EACH) return;
    if (this.#waitingBytes + length > MAX_WAITING_BYTES) return;
    pending.waiting.push(datagram);
    pending.bytes += length;
    this.#waitingBytes += length;
  }

  /** What waited for it. */
  #finish(pair: SpiPair, pending: Pending | undefined): readonly Waiting[] {
    if (!pending) return [];
    this.#pending.delete(pairOf(pair));
    this.#waitingBytes -= pending.bytes;
    this.#silent.delete(pairOf(pair));
    return pending.waiting;
  }

  /** What waited is dropped: its client repeats itself, and then the question is put again as it was. */
  #silence(pair: SpiPair, pending: Pending): void {
    const { question, hops, since } = pending;
    const before = this.#silent.until(pairOf(pair));
    this.#finish(pair, pending);
    if (question) this.#silent.set(pairOf(pair), { question, hops }, before ?? later(since, SILENT_MS));
  }

  /** Questions that the shell never concludes. */
  #rest(now: Instant): void {
    for (const [pair, pending] of this.#pending) {
      if (now - pending.since < PENDING_MS) return; // in the order of their time
      const [spiI = '', spiR = ''] = pair.split(' ');
      this.#silence({ spiI, spiR }, pending);
    }
  }
}

const NOTHING_TAKEN: Taken = { waiting: [], outputs: [] };

const pairOf = ({ spiI, spiR }: SpiPair): string => `${spiI} ${spiR}`;

/** Moving prolongs nothing, and by the clock of the pod where it now is. */
function withTimeLeft(sa: InPhase<'halfOpen'>, leftMs: number, ctx: Context): InPhase<'halfOpen'> {
  const { phase } = sa;
  const until = later(ctx.now, Math.min(leftMs, inForce(ctx).config.ike.halfOpenMs));
  const since = later(until, phase.since - phase.until);
  return { ...sa, phase: { ...phase, since, until, moves: phase.moves + 1 } };
}

/** Never responses, never garbage: the first protected request of an SA. */
const couldBeFirstOnNewPath = ({ response, initiator, exchange, messageId, encrypted }: Message): boolean =>
  !response &&
  initiator &&
  messageId === 1 &&
  encrypted !== undefined &&
  (exchange === Exchange.IKE_AUTH || exchange === Exchange.IKE_INTERMEDIATE);

const failed = (reason: 'gone' | 'silent' | 'unreadable' | 'crowded', { spiR }: SpiPair): Output =>
  event({ name: 'hand-off-failed', reason, spiR });
