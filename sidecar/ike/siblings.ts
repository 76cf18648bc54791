/** The sibling pods of this gateway: what we ask them and they ask us (hand-off of SAs, leases in each other's slices, spent tickets). */
import type { Context, Member } from './context.ts';
import { ProtocolError } from './error.ts';
import type { Giving } from './handed-over.ts';
import { HandOff, type Next } from './handoff.ts';
import { LEASE_MS, LeaseExchange, type Telling } from './lease-exchange.ts';
import {
  type Answer,
  openAnswer,
  openQuestion,
  type PeerKeys,
  type PeerSealing,
  type Question,
  sealAnswer,
  sealQuestion,
} from './peer-channel.ts';
import { ANSWER_MS, type Waiting } from './pending-fetches.ts';
import { type IkeSa, type Instant, inPhase, later, type Path } from './sa.ts';
import { ShortMemory } from './short-memory.ts';
import { type Deadline, type DropReason, event, NOTHING, type Output, type Step } from './step.ts';
import { endedBy, SupersededNews } from './superseded.ts';
import { inForce } from './terms.ts';
import { type Bytes, hex } from './wire/bytes.ts';
import type { Message } from './wire/message.ts';

type Ends = NonNullable<Step['ends']>;
type Channel = PeerSealing & { readonly member: Member & { readonly ordinal: number } };

/** A question without the fields that every question has. */
export type Words = Question extends infer Q
  ? Q extends Question
    ? Omit<Q, 'nonce' | 'from' | 'incarnation' | 'to' | 'at'>
    : never
  : never;

export interface Answered {
  readonly sa?: IkeSa;
  readonly waiting: readonly Waiting[];
  readonly outputs: readonly Output[];
  /** Our SPIs of sessions that may not go on; their clients are told. */
  readonly closes: readonly string[];
}

interface InFlight {
  readonly question: Question;
  readonly tries: number;
}

/** What a sibling's question does here. */
interface Heard {
  readonly outputs: readonly Output[];
  /** Our SPIs of SAs that end silently, and of those that are told. */
  readonly ends: Ends;
  readonly tells: NonNullable<Step['tells']>;
}
const only = (outputs: readonly Output[]): Heard => ({ outputs, ends: [], tells: [] });

const NOTHING_ANSWERED: Answered = { waiting: [], outputs: [], closes: [] };
/** A lost answer must not lose an SA: the same question gets the same answer for as long as it may be repeated. */
const MAX_ANSWERS = 65_536;
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;
/** Far above what may be under way; a question that is not answered by then never will be. */
const MAX_IN_FLIGHT = 8_192;
/** Used tickets and superseded sessions are told at once, and the next ones together: a ticket could be used again at every pod that has not heard. */
const TELL_NEWS_MS = 200;
const MAX_SPENT = 1_024;
/** What was remembered for a while is looked through this often. */
const PRUNE_MS = 10_000;

export class Siblings {
  readonly #member: Member;
  readonly #handOff = new HandOff();
  readonly #leases = new LeaseExchange();
  readonly #superseded = new SupersededNews();
  /** By the name under which the shell answers. */
  readonly #inFlight = new Map<string, InFlight>();
  /** By the nonce of the question. Sealed each time: whoever asks again may have lost the key of the first time, which was revoked. */
  readonly #answers = new ShortMemory<Answer>(MAX_ANSWERS, MAX_ANSWER_BYTES);
  #serial = 0;
  #toldAt = 0 as Instant;
  #tellAt: Instant | undefined;
  #pruneAt: Instant | undefined;

  constructor(member: Member) {
    this.#member = member;
  }

  /** After the first configuration: which of our addresses do others hold? */
  begin(ctx: Context): Output[] {
    if (this.#member.ordinal === undefined) return [];
    return this.#tell(this.#leases.begin(this.#others(ctx), ctx.now), ctx);
  }

  /** Another configuration is in force. */
  configured(ctx: Context): void {
    if (this.#member.ordinal !== undefined) this.#leases.configured(ctx);
  }

  #others(ctx: Context): number[] {
    return Array.from({ length: inForce(ctx).config.peers.replicas }, (_, other) => other).filter(
      (other) => other !== this.#member.ordinal,
    );
  }

  /** Until the siblings have told what they hold of our slice (or were silent for long enough), we give nothing out. */
  settled = (now: Instant): boolean => this.#member.ordinal === undefined || this.#leases.settled(now);

  deadline(): Deadline | undefined {
    const all = [
      this.#leases.deadline(),
      this.#tellAt === undefined ? undefined : { at: this.#tellAt, why: 'tell the siblings' },
      this.#pruneAt === undefined ? undefined : { at: this.#pruneAt, why: 'forget old questions' },
    ];
    return all.filter((one) => one !== undefined).sort((a, b) => a.at - b.at)[0];
  }

  expire(ctx: Context): Output[] {
    if (this.#member.ordinal === undefined) return [];
    this.#prune(ctx.now);
    return [...this.#tell(this.#leases.renew(ctx), ctx), ...this.#tellNews(ctx)];
  }

  /** An SA was changed, and tickets may have been spent with it: others are told of a new session that concerns them. */
  changed(before: IkeSa | undefined, sa: IkeSa | undefined, supersedes: Step['supersedes'] = [], ctx: Context): Output[] {
    if (this.#member.ordinal === undefined) return [];
    if (sa && inPhase(sa, 'established') && this.#others(ctx).length > 0) this.#superseded.add(sa, supersedes);
    const news = this.#tellNews(ctx);
    if (!sa || !inPhase(sa, 'established')) return news;
    const isNew = !before || !inPhase(before, 'established');
    return [...news, ...this.#tell(this.#leases.announce(sa, isNew, ctx), ctx)];
  }

  /** A message for an SA that is not here. Undefined when no sibling can have it. @throws ProtocolError (drop) when there is no place for it. */
  receive(message: Message, datagram: Waiting, ctx: Context): Output[] | undefined {
    const channel = this.#channel(ctx);
    const asking = channel && this.#handOff.receive(message, datagram, channel, ctx);
    return asking && [...asking.outputs, ...this.#goOn(asking.next, ctx)];
  }

  /** The response to a first request that we gave before the SA moved away: its repetition is ours to answer. */
  firstResponse(spiI: string, request: Bytes, path: Path, now: Instant): Output[] | undefined {
    return this.#handOff.firstResponse(spiI, request, path, now);
  }

  asked(name: string, bytes: Bytes, ctx: Context): Heard {
    const channel = this.#channel(ctx);
    if (!channel) return only([dropped('not-ready', 'a question before the configuration')]);
    const question = openQuestion(channel, bytes);
    if (question.to !== channel.member.ordinal) throw ProtocolError.malformed('a question for another pod');
    // Recorded words, or a clock so wrong that neither leases nor tickets can be agreed on.
    if (Math.abs(ctx.now - question.at) > LEASE_MS) return only([dropped('out-of-window', 'a question of another time')]);
    const seal = (answer: Answer): Bytes => sealAnswer(channel, question, channel.member.incarnation, answer);
    const nonce = hex(question.nonce);
    const known = this.#answers.get(nonce, ctx.now);
    if (known) return only([{ type: 'answer', question: name, bytes: seal(known) }]);
    const { answer, outputs, ends, tells = [] } = this.#answer(question, ctx);
    const sealed = seal(answer);
    this.#answers.set(nonce, answer, later(ctx.now, ANSWER_MS), sealed.length);
    this.#pruneAt ??= later(ctx.now, PRUNE_MS);
    return { outputs: [{ type: 'answer', question: name, bytes: sealed }, ...outputs], ends, tells };
  }

  /** `bytes` undefined: nobody answered. */
  answered(name: string, bytes: Bytes | undefined, ctx: Context): Answered {
    const asked = this.#inFlight.get(name);
    this.#inFlight.delete(name);
    const channel = this.#channel(ctx);
    if (!asked || !channel) return NOTHING_ANSWERED;
    const answer = bytes === undefined ? undefined : opened(channel, asked.question, bytes);
    if (!(answer instanceof ProtocolError)) return this.#conclude(asked, answer, channel, ctx);
    const concluded = this.#conclude(asked, undefined, channel, ctx);
    return { ...concluded, outputs: [dropped('malformed', answer.message), ...concluded.outputs] };
  }

  #conclude({ question, tries }: InFlight, answer: Answer | undefined, channel: Channel, ctx: Context): Answered {
    if (question.kind === 'fetch') {
      const { next, tell = [], ...taken } = this.#handOff.conclude(question, answer, channel, ctx);
      return { ...NOTHING_ANSWERED, ...taken, outputs: [...taken.outputs, ...this.#goOn(next, ctx), ...this.#tell(tell, ctx)] };
    }
    if (answer === undefined && tries < triesOf(question))
      return { ...NOTHING_ANSWERED, outputs: this.#put(question, tries + 1, ctx) };
    if (question.kind !== 'lease' && question.kind !== 'leases?') return NOTHING_ANSWERED;
    const { closes, tell } = this.#leases.conclude(question, answer, ctx);
    return { ...NOTHING_ANSWERED, closes, outputs: this.#tell(tell, ctx) };
  }

  #answer(question: Question, ctx: Context): Partial<Heard> & Giving {
    if (question.kind === 'fetch') return this.#handOff.give(question, ctx);
    if (question.kind === 'settled') return this.#handOff.settled(question, ctx);
    if (question.kind === 'lease' || question.kind === 'leases?') {
      const { tell, ...answered } = this.#leases.answer(question, ctx);
      return { outputs: this.#tell(tell, ctx), ...answered };
    }
    if (question.kind === 'superseded')
      return { answer: { kind: 'noted' }, outputs: NOTHING, ...endedBy(question.sessions, question.at, ctx) };
    for (const { id, until } of question.tickets) if (until > ctx.now) ctx.spent.hear(id, until);
    return { answer: { kind: 'noted' }, outputs: NOTHING, ends: [] };
  }

  #tellNews(ctx: Context): Output[] {
    const may = ctx.now >= later(this.#toldAt, TELL_NEWS_MS);
    const tickets = may ? ctx.spent.takeNew(MAX_SPENT) : [];
    const sessions = may ? this.#superseded.take(ctx.now) : [];
    const words: Words[] = [];
    if (tickets.length > 0) words.push({ kind: 'spent', tickets });
    if (sessions.length > 0) words.push({ kind: 'superseded', sessions });
    if (words.length > 0) this.#toldAt = ctx.now;
    this.#tellAt = ctx.spent.hasNews || !this.#superseded.isEmpty ? later(this.#toldAt, TELL_NEWS_MS) : undefined;
    return words.length === 0 ? [] : this.#others(ctx).flatMap((to) => words.flatMap((one) => this.#ask(to, one, ctx)));
  }

  #tell(tellings: readonly Telling[], ctx: Context): Output[] {
    return tellings.flatMap(({ to, words }) => this.#ask(to, words, ctx));
  }

  #goOn(next: Next | undefined, ctx: Context): Output[] {
    if (!next) return [];
    return 'repeat' in next ? this.#put(next.repeat, 1, ctx) : this.#ask(next.to, next.words, ctx);
  }

  #ask(to: number, words: Words, ctx: Context): Output[] {
    const { ordinal: from, incarnation } = this.#member;
    const question = { ...words, nonce: ctx.random(16), from, incarnation, to, at: ctx.now } as Question;
    return this.#put(question, 1, ctx);
  }

  /** A new question, or one again. */
  #put(question: Question, tries: number, ctx: Context): Output[] {
    const channel = this.#channel(ctx);
    if (!channel) return [];
    if (question.kind === 'fetch') this.#handOff.asking(question);
    const name = `q${this.#serial++}`;
    this.#inFlight.set(name, { question, tries });
    for (const oldest of this.#inFlight.keys()) {
      if (this.#inFlight.size <= MAX_IN_FLIGHT) break;
      this.#inFlight.delete(oldest);
    }
    this.#pruneAt ??= later(ctx.now, PRUNE_MS);
    return [{ type: 'ask', ordinal: question.to, question: name, bytes: sealQuestion(channel, question) }];
  }

  #prune(now: Instant): void {
    if (this.#pruneAt === undefined || this.#pruneAt > now) return;
    this.#handOff.prune(now);
    this.#answers.prune(now);
    this.#pruneAt = this.#handOff.isEmpty && this.#answers.size === 0 ? undefined : later(now, PRUNE_MS);
  }

  #channel({ policy, crypto, random }: Context): Channel | undefined {
    const { ordinal, incarnation } = this.#member;
    if (!policy || ordinal === undefined) return undefined;
    return { ring: policy.ring, audience: policy.config.audience, crypto, random, member: { ordinal, incarnation } };
  }
}

/** What is told again anyway, and what a sibling that is not there cannot know, is asked once. */
function triesOf(question: Question): number {
  if (question.kind === 'lease') return question.leases.some(({ oldSpi }) => oldSpi !== undefined) ? 2 : 1;
  if (question.kind === 'leases?') return question.after === undefined ? 1 : 3;
  return 2;
}

/** A key that is revoked opens nothing: what it sealed is as if nobody had answered, and whoever asked may ask again. */
function opened(keys: PeerKeys, question: Question, bytes: Bytes): Answer | ProtocolError {
  try {
    return openAnswer(keys, question, bytes).answer;
  } catch (error) {
    if (error instanceof ProtocolError) return error;
    throw error;
  }
}

const dropped = (reason: DropReason, detail: string): Output => event({ name: 'dropped', reason, detail, path: undefined });
