/** The sibling pods of this gateway: what we ask them and they ask us (hand-off of SAs, leases in each other's slices). */
import type { Context, Member } from './context.ts';
import { ProtocolError } from './error.ts';
import { HandOff, type Waiting } from './handoff.ts';
import { LeaseExchange } from './lease-exchange.ts';
import {
  type Answer,
  openAnswer,
  openQuestion,
  type PeerSealing,
  type Question,
  sealAnswer,
  sealQuestion,
} from './peer-channel.ts';
import type { Established, IkeSa, Instant, Path } from './sa.ts';
import { type Deadline, type DropReason, event, NOTHING, type Output, type Step } from './step.ts';
import { inForce } from './terms.ts';
import { type Bytes, hex } from './wire/bytes.ts';
import type { Message } from './wire/message.ts';

type Ends = NonNullable<Step['ends']>;
type Channel = PeerSealing & { readonly member: Member & { readonly ordinal: number } };

/** A question without the fields that every question has. */
export type Words = Question extends infer Q
  ? Q extends Question
    ? Omit<Q, 'nonce' | 'from' | 'incarnation' | 'to'>
    : never
  : never;

export interface Answered {
  readonly sa?: IkeSa;
  readonly waiting: readonly Waiting[];
  readonly outputs: readonly Output[];
  readonly ends: Ends;
}

const NOTHING_ANSWERED: Answered = { waiting: [], outputs: [], ends: [] };
/** A lost answer must not lose an SA: the same question gets the same answer for as long as it may be repeated. */
const MAX_REMEMBERED_ANSWERS = 1_024;
/** Far above what two seconds of handshakes need; a question that is not answered by then never will be. */
const MAX_QUESTIONS = 1_024;

export class Siblings {
  readonly #member: Member;
  readonly #handOff = new HandOff();
  readonly #leases = new LeaseExchange();
  /** In flight, by the name under which the shell answers. */
  readonly #asked = new Map<string, Question>();
  readonly #answers = new Map<string, Bytes>();
  #serial = 0;

  constructor(member: Member) {
    this.#member = member;
  }

  /** After the first configuration: which of our addresses do others hold? */
  begin(ctx: Context): Output[] {
    if (this.#member.ordinal === undefined) return [];
    const { ordinal } = this.#member;
    const others = Array.from({ length: inForce(ctx).config.peers.replicas }, (_, other) => other).filter(
      (other) => other !== ordinal,
    );
    return this.#leases.begin(others, ctx.now).flatMap((to) => this.#ask(to, { kind: 'leases?' }, ctx));
  }

  /** Until the siblings have told what they hold of our slice (or were silent for long enough), we give nothing out. */
  settled = (now: Instant): boolean => this.#member.ordinal === undefined || this.#leases.settled(now);

  deadline = (): Deadline | undefined => this.#leases.deadline();

  expire(ctx: Context): Output[] {
    return this.#member.ordinal === undefined ? [] : this.#tell(this.#leases.renew(ctx), ctx);
  }

  /** A new session that lies in another pod's slice, or replaces an SA of another pod: they are told at once. */
  announce(sa: IkeSa & { readonly phase: Established }, ctx: Context): Output[] {
    return this.#member.ordinal === undefined ? [] : this.#tell(this.#leases.announce(sa, ctx), ctx);
  }

  /** A message for an SA that is not here. Undefined when no sibling can have it. */
  receive(message: Message, datagram: Waiting, ctx: Context): Output[] | undefined {
    const channel = this.#channel(ctx);
    const asking = channel && this.#handOff.receive(message, datagram, channel, ctx);
    if (!asking) return undefined;
    return [...asking.outputs, ...(asking.to === undefined ? [] : this.#ask(asking.to, asking.words, ctx))];
  }

  /** The response to a first request that we gave before the SA moved away: its repetition is ours to answer. */
  firstResponse(spiI: string, request: Bytes, path: Path, now: Instant): Output[] | undefined {
    return this.#handOff.firstResponse(spiI, request, path, now);
  }

  asked(question: string, bytes: Bytes, ctx: Context): { outputs: readonly Output[]; ends: Ends } {
    const channel = this.#channel(ctx);
    if (!channel) return { outputs: [dropped('not-ready', 'a question before the configuration')], ends: [] };
    const words = openQuestion(channel, bytes);
    if (words.to !== channel.member.ordinal) throw ProtocolError.malformed('a question for another pod');
    const nonce = hex(words.nonce);
    const known = this.#answers.get(nonce);
    if (known) return { outputs: [{ type: 'answer', question, bytes: known }], ends: [] };
    const { answer, outputs, ends } = this.#answer(words, ctx);
    const sealed = sealAnswer(channel, words, channel.member.incarnation, answer);
    this.#remember(nonce, sealed);
    return { outputs: [{ type: 'answer', question, bytes: sealed }, ...outputs], ends };
  }

  /** `bytes` undefined: nobody answered. */
  answered(name: string, bytes: Bytes | undefined, ctx: Context): Answered {
    const question = this.#asked.get(name);
    this.#asked.delete(name);
    const channel = this.#channel(ctx);
    if (!question || !channel) return NOTHING_ANSWERED;
    const answer = bytes === undefined ? undefined : openAnswer(channel, question, bytes).answer;
    if (question.kind !== 'fetch') return { ...NOTHING_ANSWERED, ends: this.#leases.conclude(question, answer, ctx) };
    const { to, words, ...result } = this.#handOff.conclude(question, answer, channel, ctx);
    if (to === undefined || !words) return result;
    return { ...result, outputs: [...result.outputs, ...this.#ask(to, words, ctx)] };
  }

  #answer(question: Question, ctx: Context): { answer: Answer; outputs: readonly Output[]; ends: Ends } {
    if (question.kind === 'fetch') return this.#handOff.give(question, ctx);
    return { outputs: NOTHING, ...this.#leases.answer(question, ctx) };
  }

  #tell(notices: ReturnType<LeaseExchange['renew']>, ctx: Context): Output[] {
    return notices.flatMap(({ to, leases }) => this.#ask(to, { kind: 'lease', leases }, ctx));
  }

  #ask(to: number, words: Words, ctx: Context): Output[] {
    const channel = this.#channel(ctx);
    if (!channel) return [];
    const { ordinal: from, incarnation } = channel.member;
    const question = { ...words, nonce: ctx.random(16), from, incarnation, to } as Question;
    const name = `q${this.#serial++}`;
    this.#asked.set(name, question);
    for (const oldest of this.#asked.keys()) {
      if (this.#asked.size <= MAX_QUESTIONS) break;
      this.#asked.delete(oldest);
    }
    return [{ type: 'ask', ordinal: to, question: name, bytes: sealQuestion(channel, question) }];
  }

  #remember(nonce: string, answer: Bytes): void {
    this.#answers.set(nonce, answer);
    for (const oldest of this.#answers.keys()) {
      if (this.#answers.size <= MAX_REMEMBERED_ANSWERS) break;
      this.#answers.delete(oldest);
    }
  }

  #channel({ policy, crypto, random }: Context): Channel | undefined {
    const { ordinal, incarnation } = this.#member;
    if (!policy || ordinal === undefined) return undefined;
    return { ring: policy.ring, audience: policy.config.audience, crypto, random, member: { ordinal, incarnation } };
  }
}

const dropped = (reason: DropReason, detail: string): Output => event({ name: 'dropped', reason, detail, path: undefined });
