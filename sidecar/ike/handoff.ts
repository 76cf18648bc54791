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
import { Allowance } from './allowance.ts';
import { install } from './child.ts';
import type { Context } from './context.ts';
import { ProtocolError } from './error.ts';
import { admit, NO_DATAPLANE } from './first-exchange.ts';
import { LEASE_MS, type Telling } from './lease-exchange.ts';
import { ownerOf } from './owned-spi.ts';
import type { Answer, PeerKeys, Question } from './peer-channel.ts';
import { type IkeSa, type InPhase, type Instant, inPhase, later, ownSpi, type Path } from './sa.ts';
import { decodeSa, encodeSa, SA_VERSION } from './sa-encoding.ts';
import { heldBy, isOfSession, isSession, isSettled, judge, resettled, type SessionSa } from './session-move.ts';
import { ShortMemory } from './short-memory.ts';
import type { Words } from './siblings.ts';
import { event, type Output, type Step, type TakenSession, which } from './step.ts';
import { inForce } from './terms.ts';
import { type Bytes, equalBytes } from './wire/bytes.ts';
import type { Message } from './wire/message.ts';
import { Exchange, Notify } from './wire/registry.ts';

export interface Waiting {
  readonly path: Path;
  readonly bytes: Bytes;
}

/** What a sibling's question does here. */
export interface Giving {
  readonly answer: Answer;
  readonly outputs: readonly Output[];
  readonly ends: NonNullable<Step['ends']>;
}
const only = (answer: Answer): Giving => ({ answer, outputs: [], ends: [] });

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
  readonly tell?: readonly Telling[];
  /** Our SPIs of SAs that have lost their address. */
  readonly closes?: readonly string[];
  readonly outputs: readonly Output[];
}

/** A question in flight, and what waits for its answer. */
interface Pending {
  question: Fetch | undefined;
  readonly waiting: Waiting[];
  /** Where its first datagram came. */
  readonly path: Path;
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
/** An SA that is established may live for long. */
const MOVED_SESSION_MS = 24 * 3_600_000;
const MAX_REMEMBERED = 16_384;
const MAX_MOVED = 65_536;
/** A request that is longer moves no SA: its client comes back with a ticket. */
const MAX_PROOF_BYTES = 8_192;
/** Longer words would not pass between pods. */
const MAX_SA_BYTES = 60_000;
/** What the former data plane may have sent since its last report: so many numbers are passed over (RFC 4303 §3.3.3: none comes twice). */
const SEQUENCE_GAP = 2 ** 24;
const MAX_FIRST_BYTES = 8 * 1024 * 1024;

export class HandOff {
  /** One question for each pair of SPIs. */
  readonly #pending = new Map<string, Pending>();
  #waitingBytes = 0;
  readonly #allowance = new Allowance(QUESTIONS_PER_SECOND, BURST);
  /** Questions without an answer: the SA may have been given to us in one that was lost. */
  readonly #silent = new ShortMemory<{ readonly question: Fetch; readonly hops: number; readonly path: Path }>(MAX_REMEMBERED);
  /** SAs of which we know that nobody has them. */
  readonly #gone = new ShortMemory<true>(MAX_REMEMBERED);
  /** The pods that we gave SAs to. */
  readonly #moved = new ShortMemory<number>(MAX_MOVED);
  /** Initiator SPI and address → the first exchange that we answered, for its repetitions. */
  readonly #first = new ShortMemory<{ readonly request: Bytes; readonly response: readonly Bytes[] }>(
    MAX_REMEMBERED,
    MAX_FIRST_BYTES,
  );

  /** A message for an SA that is not here. Undefined when no sibling can have it. @throws ProtocolError (drop) when there is no place for it. */
  receive(message: Message, datagram: Waiting, keys: PeerKeys & Member, ctx: Context): Ask | undefined {
    const { spiI, spiR } = message;
    const proof = isOfSession(message.exchange) ? datagram.bytes : undefined;
    if (!couldBeFirstOnNewPath(message) || (proof && !hasPlace(proof, ctx))) return undefined;
    // Where it is now it is carried; or its client, which hears nothing, comes back.
    if (!ctx.carrying) throw new ProtocolError('drop', Notify.TEMPORARY_FAILURE, NO_DATAPLANE);
    this.#rest(ctx.now);
    const pair = pairOf(message);
    const known = this.#pending.get(pair);
    if (known) this.#keep(known, datagram);
    if (known || this.#gone.get(pair, ctx.now)) return known && { outputs: [] };
    const silent = this.#silent.get(pair, ctx.now);
    if (!silent) this.#silent.delete(pair);
    const to = silent ? silent.question.to : this.#whomToAsk(message, keys, ctx);
    if (to === undefined) return undefined;
    if (!proof) admit(datagram.path, ctx);
    if (this.#pending.size >= MAX_PENDING || !this.#allowance.take(ctx.now)) return { outputs: [failed('crowded', message)] };
    const { path } = datagram;
    const pending: Pending = {
      question: undefined,
      waiting: [],
      path,
      bytes: 0,
      since: ctx.now,
      hops: silent?.hops ?? 1,
      tries: 1,
    };
    this.#pending.set(pair, pending);
    this.#keep(pending, datagram);
    return { next: silent ? { repeat: silent.question } : { to, words: { kind: 'fetch', spiI, spiR, proof } }, outputs: [] };
  }

  /** This question is on its way. */
  asking(question: Fetch): void {
    const pending = this.#pending.get(pairOf(question));
    if (pending) pending.question = question;
  }

  /** Random SPIs cost a MAC and no question; an ordinal that this gateway does not have is nobody. */
  #whomToAsk(pair: Message, keys: PeerKeys & Member, ctx: Context): number | undefined {
    const owner = ownerOf(ourSpi(pair), keys);
    const { slices } = inForce(ctx).config;
    if (owner === undefined || owner >= slices) return undefined;
    const to = this.#moved.get(pairOf(pair), ctx.now);
    return to ?? (owner === keys.member.ordinal ? undefined : owner);
  }

  /** Our answer to a sibling. The SA ends here in the same step. */
  give(question: Fetch, ctx: Context): Giving {
    if (question.proof) return this.#giveSession(question, question.proof, ctx);
    const sa = this.#movable(question, ctx);
    if (!sa) return this.#elsewhere(question, ctx);
    this.#rememberFirst(sa);
    this.#moved.set(pairOf(sa), question.from, later(ctx.now, MOVED_MS));
    const outputs = [event({ name: 'handed-over', to: question.from, ...which(sa) })];
    const answer = { kind: 'sa', sa: encodeSa(sa), leftMs: sa.phase.until - ctx.now } as const;
    return { answer, outputs, ends: [{ spi: sa.spiR, why: 'handed over' }] };
  }

  #elsewhere(pair: SpiPair, ctx: Context): Giving {
    const to = this.#moved.get(pairOf(pair), ctx.now);
    return only(to === undefined ? { kind: 'gone' } : { kind: 'moved', to });
  }

  #giveSession(question: Fetch, proof: Bytes, ctx: Context): Giving {
    const sa = heldBy(question, ctx);
    if (!sa || inPhase(sa, 'halfOpen')) return sa ? only({ kind: 'unproven' }) : this.#elsewhere(question, ctx);
    const said = judge(sa, proof, ctx);
    if (said === 'repeated') return only({ kind: 'repeat', datagrams: sa.window.answered });
    const encoded = said === 'new' && isSettled(sa, ctx) ? encodeSa(sa) : undefined;
    if (!encoded || encoded.length > MAX_SA_BYTES) return only({ kind: 'unproven' });
    const { from } = question;
    this.#moved.set(pairOf(sa), from, later(ctx.now, MOVED_SESSION_MS));
    if (inPhase(sa, 'established')) ctx.addresses.handOver(ownSpi(sa), from, sa.phase.since, later(ctx.now, LEASE_MS));
    return {
      answer: { kind: 'sa', sa: encoded, leftMs: 0 },
      outputs: [event({ name: 'handed-over', to: from, ...which(sa) })],
      ends: [{ spi: ownSpi(sa), why: 'handed over' }],
    };
  }

  /** A sibling has an SA that our SPI names: whoever asks us is sent there, however often it has moved. */
  settled({ from, ...pair }: Extract<Question, { kind: 'settled' }>, ctx: Context): Giving {
    if (!heldBy(pair, ctx)) this.#moved.set(pairOf(pair), from, later(ctx.now, MOVED_SESSION_MS));
    return only({ kind: 'noted' });
  }

  #movable({ spiI, spiR }: SpiPair, ctx: Context): InPhase<'halfOpen'> | undefined {
    const sa = ctx.find(spiR);
    const isIt = sa && sa.spiI === spiI && inPhase(sa, 'halfOpen') && sa.window.expected === 1 && sa.phase.moves < MAX_MOVES;
    return isIt ? sa : undefined;
  }

  /** A sibling's answer to us; undefined: there was none. */
  conclude(question: Fetch, answer: Answer | undefined, keys: PeerKeys & Member, ctx: Context): Taken {
    const { member } = keys;
    const known = this.#pending.get(pairOf(question));
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

  /** The SA stays where it is; what else waits may be the proof. */
  #goOn(question: Fetch, pending: Pending, answer: Extract<Answer, { kind: 'unproven' | 'repeat' }>): Taken {
    const { path } = pending.waiting[0] ?? pending;
    const datagrams = answer.kind === 'repeat' ? answer.datagrams : [];
    const outputs = datagrams.map((bytes): Output => ({ type: 'send', path, bytes }));
    this.#dropFirst(pending);
    const proof = pending.waiting[0]?.bytes;
    if (!proof) {
      this.#finish(question, pending);
      return { ...NOTHING_TAKEN, outputs };
    }
    pending.tries = 1;
    return { ...NOTHING_TAKEN, outputs, next: { to: question.to, words: { ...wordsOf(question), proof } } };
  }

  #dropFirst(pending: Pending): void {
    const length = pending.waiting.shift()?.bytes.length ?? 0;
    pending.bytes -= length;
    this.#waitingBytes -= length;
  }

  #take(
    { sa: encoded, leftMs }: Given,
    question: Fetch,
    pending: Pending | undefined,
    keys: PeerKeys & Member,
    ctx: Context,
  ): Taken {
    const path = pending?.waiting[0]?.path ?? pending?.path ?? this.#silent.get(pairOf(question), ctx.now)?.path;
    const waiting = this.#finish(question, pending);
    const sa = encoded[0] === SA_VERSION ? decodeSa(encoded) : undefined;
    const { spiI, spiR, to: from } = question;
    if (heldBy(question, ctx)) return { ...NOTHING_TAKEN, waiting }; // it came with the answer to the same question before
    if (!sa || sa.spiI !== spiI || sa.spiR !== spiR || !(inPhase(sa, 'halfOpen') || isSession(sa)))
      return { ...NOTHING_TAKEN, outputs: [failed('unreadable', question)] };
    this.#moved.delete(pairOf(sa));
    if (!inPhase(sa, 'halfOpen')) return takeSession(sa, { from, path, waiting, owner: ownerOf(ownSpi(sa), keys) }, keys, ctx);
    return {
      sa: withTimeLeft(sa, leftMs, ctx),
      waiting,
      outputs: [event({ name: 'taken-over', from, session: undefined, ...which(sa) })],
    };
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
    const { question, hops, since, path } = pending;
    const before = this.#silent.until(pairOf(pair));
    this.#finish(pair, pending);
    if (question) this.#silent.set(pairOf(pair), { question, hops, path }, before ?? later(since, SILENT_MS));
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

interface Arrival {
  readonly from: number;
  /** Of whom the SPI is. */
  readonly owner: number | undefined;
  /** Where its peer's datagram came. */
  readonly path: Path | undefined;
  readonly waiting: readonly Waiting[];
}

function takeSession(sa: SessionSa, { from, owner, path, waiting }: Arrival, { member }: Member, ctx: Context): Taken {
  const { spiI, spiR } = sa;
  const taken = resettled(sa, { from, path, gap: SEQUENCE_GAP }, ctx);
  const established = inPhase(taken, 'established') ? taken : undefined;
  const lost = established?.phase.inner.some(
    (address) => !ctx.addresses.takeOver(address, established.phase.remote, ownSpi(taken), ctx.now),
  );
  const children = established ? established.phase.children.flatMap((child) => install(established, child)) : [];
  const isOwners = owner === undefined || owner === from || owner === member.ordinal;
  return {
    ...{ sa: taken, waiting, closes: lost ? [ownSpi(taken)] : [] },
    tell: isOwners ? [] : [{ to: owner, words: { kind: 'settled', spiI, spiR } }],
    outputs: [event({ name: 'taken-over', from, session: established && counted(established), ...which(taken) }), ...children],
  };
}

const counted = ({ phase: { remote, inner, accounting, authenticatedAt } }: InPhase<'established'>): TakenSession => ({
  ...{ remote, inner, accounting, authenticatedAt },
});

const NOTHING_TAKEN: Taken = { waiting: [], outputs: [] };

const wordsOf = ({ spiI, spiR, proof }: Fetch) => ({ kind: 'fetch', spiI, spiR, proof }) as const;

/** RFC 7296 §2.1: the flag tells which of the two is of our side. */
const ourSpi = ({ initiator, spiI, spiR }: Message): string => (initiator ? spiR : spiI);

const hasPlace = (proof: Bytes, ctx: Context): boolean =>
  proof.length <= MAX_PROOF_BYTES && ctx.sessions < inForce(ctx).config.ike.maxSessions;

const pairOf = ({ spiI, spiR }: SpiPair): string => `${spiI} ${spiR}`;

/** Moving prolongs nothing, and by the clock of the pod where it now is. */
function withTimeLeft(sa: InPhase<'halfOpen'>, leftMs: number, ctx: Context): InPhase<'halfOpen'> {
  const { phase } = sa;
  const until = later(ctx.now, Math.min(leftMs, inForce(ctx).config.ike.halfOpenMs));
  const since = later(until, phase.since - phase.until);
  return { ...sa, phase: { ...phase, since, until, moves: phase.moves + 1 } };
}

/** Never responses, never garbage: the first protected request of an SA, or any request of one that is established. */
const couldBeFirstOnNewPath = ({ response, initiator, exchange, messageId, encrypted }: Message): boolean =>
  !response &&
  encrypted !== undefined &&
  (isOfSession(exchange) ||
    (initiator && messageId === 1 && (exchange === Exchange.IKE_AUTH || exchange === Exchange.IKE_INTERMEDIATE)));

const failed = (reason: 'gone' | 'silent' | 'unreadable' | 'crowded', { spiR }: SpiPair): Output =>
  event({ name: 'hand-off-failed', reason, spiR });
