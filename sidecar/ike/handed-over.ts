/** SAs that siblings asked for: which we give, and where those went that were here. */
import type { Context } from './context.ts';
import { LEASE_MS } from './lease-exchange.ts';
import type { Answer, Question } from './peer-channel.ts';
import type { Fetch } from './pending-fetches.ts';
import { type InPhase, type Instant, inPhase, later, ownSpi, type Path, pairOf, type SpiPair } from './sa.ts';
import { encodeSa } from './sa-encoding.ts';
import { heldBy, isSettled, judge } from './session-move.ts';
import { ShortMemory } from './short-memory.ts';
import { event, type Output, type Step, which } from './step.ts';
import { type Bytes, equalBytes } from './wire/bytes.ts';

/** What a sibling's question does here. */
export interface Giving {
  readonly answer: Answer;
  readonly outputs: readonly Output[];
  readonly ends: NonNullable<Step['ends']>;
}
const only = (answer: Answer): Giving => ({ answer, outputs: [], ends: [] });

/** No SA is passed around. */
const MAX_MOVES = 3;
/** A message that begins something on a new path is not repeated after so long. */
const MOVED_MS = 600_000;
/** An SA that is established may live for long. */
const MOVED_SESSION_MS = 24 * 3_600_000;
const MAX_MOVED = 65_536;
/** Longer words would not pass between pods. */
const MAX_SA_BYTES = 60_000;
const MAX_FIRST = 16_384;
const MAX_FIRST_BYTES = 8 * 1024 * 1024;

export class HandedOver {
  /** The pods that we gave SAs to. */
  readonly #moved = new ShortMemory<number>(MAX_MOVED);
  /** Initiator SPI and address → the first exchange that we answered, for its repetitions. */
  readonly #first = new ShortMemory<{ readonly request: Bytes; readonly response: readonly Bytes[] }>(MAX_FIRST, MAX_FIRST_BYTES);

  /** Our answer to a sibling. The SA ends here in the same step. */
  give(question: Fetch, ctx: Context): Giving {
    if (question.proof) return this.#giveSession(question, question.proof, ctx);
    const sa = movable(question, ctx);
    if (!sa) return this.#elsewhere(question, ctx);
    this.#rememberFirst(sa);
    this.#moved.set(pairOf(sa), question.from, later(ctx.now, MOVED_MS));
    const outputs = [event({ name: 'handed-over', to: question.from, ...which(sa) })];
    const answer = { kind: 'sa', sa: encodeSa(sa), leftMs: sa.phase.until - ctx.now } as const;
    return { answer, outputs, ends: [{ spi: sa.spiR, why: 'handed over' }] };
  }

  #elsewhere(pair: SpiPair, ctx: Context): Giving {
    const to = this.whereIs(pair, ctx.now);
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

  /** The pod that has this SA, as far as we know. */
  whereIs(pair: SpiPair, now: Instant): number | undefined {
    return this.#moved.get(pairOf(pair), now);
  }

  isBack(pair: SpiPair): void {
    this.#moved.delete(pairOf(pair));
  }

  firstResponse(spiI: string, request: Bytes, path: Path, now: Instant): Output[] | undefined {
    const known = this.#first.get(`${spiI} ${path.remote}`, now);
    if (!known || !equalBytes(known.request, request)) return undefined;
    return known.response.map((bytes) => ({ type: 'send', path, bytes }));
  }

  #rememberFirst(sa: InPhase<'halfOpen'>): void {
    const { first, until } = sa.phase;
    const response = sa.window.answered;
    const bytes = response.reduce((sum, { length }) => sum + length, first.initiator.length);
    this.#first.set(`${sa.spiI} ${sa.path.remote}`, { request: first.initiator, response }, until, bytes);
  }

  prune(now: Instant): void {
    this.#moved.prune(now);
    this.#first.prune(now);
  }

  get isEmpty(): boolean {
    return this.#moved.size === 0 && this.#first.size === 0;
  }
}

function movable({ spiI, spiR }: SpiPair, ctx: Context): InPhase<'halfOpen'> | undefined {
  const sa = ctx.find(spiR);
  const isIt = sa && sa.spiI === spiI && inPhase(sa, 'halfOpen') && sa.window.expected === 1 && sa.phase.moves < MAX_MOVES;
  return isIt ? sa : undefined;
}
