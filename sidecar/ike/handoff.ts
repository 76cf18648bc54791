/**
 * Hand-off: an SA that another pod began goes on here. UDP 500 and 4500 of one client reach different pods, so the pod that
 * receives IKE_AUTH asks the one that the responder's SPI names; that one forgets the SA in the step in which it gives it.
 *
 *     IKE_AUTH --> B      B --> A   fetch (SPI pair)
 *                         A --> B   the SA, once; later questions: moved to B
 */
import type { Context } from './context.ts';
import { ownerOf } from './owned-spi.ts';
import type { Answer, PeerKeys, Question } from './peer-channel.ts';
import { type IkeSa, type InPhase, type Instant, inPhase, later, type Path } from './sa.ts';
import { decodeSa, encodeSa, SA_VERSION } from './sa-encoding.ts';
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

interface Ask {
  readonly to: number | undefined;
  readonly words: Words;
  readonly outputs: readonly Output[];
}

interface Pending {
  readonly waiting: Waiting[];
  readonly since: Instant;
  hops: number;
}

type Fetch = Extract<Question, { kind: 'fetch' }>;
type Member = { readonly member: { readonly ordinal: number } };

const MAX_PENDING = 512;
const MAX_WAITING_EACH = 16;
const MAX_HOPS = 3;
const MAX_REMEMBERED = 16_384;
/** A question that nobody answers may be asked again after this: the client repeats itself by then. */
const PENDING_MS = 2_000;
const GONE_MS = 5_000;

export class HandOff {
  /** Questions in flight, by responder SPI: one for each. */
  readonly #pending = new Map<string, Pending>();
  /** SPIs of which we know that nobody has them, for a short while. */
  readonly #gone = new Map<string, Instant>();
  /** Responder SPI → the pod that we gave the SA to. */
  readonly #moved = new Map<string, number>();
  /** Initiator SPI and address → the first exchange that we answered, for its repetitions. */
  readonly #first = new Map<string, { readonly request: Bytes; readonly response: readonly Bytes[]; readonly until: Instant }>();

  receive(message: Message, datagram: Waiting, keys: PeerKeys & Member, ctx: Context): Ask | undefined {
    const { spiI, spiR } = message;
    if (!couldBeFirstOnNewPath(message)) return undefined;
    const known = this.#pending.get(spiR);
    if (known && ctx.now - known.since < PENDING_MS) {
      if (known.waiting.length < MAX_WAITING_EACH) known.waiting.push(datagram);
      return { to: undefined, words: { kind: 'fetch', spiI, spiR }, outputs: [] };
    }
    if ((this.#gone.get(spiR) ?? 0) > ctx.now) return undefined;
    const to = this.#whomToAsk(spiR, keys, ctx);
    if (to === undefined) return undefined;
    this.#pending.set(spiR, { waiting: [datagram], since: ctx.now, hops: 1 });
    return { to, words: { kind: 'fetch', spiI, spiR }, outputs: this.#boundPending() };
  }

  /** Random SPIs cost a MAC and no question; an ordinal that this gateway does not have is nobody. */
  #whomToAsk(spiR: string, keys: PeerKeys & Member, ctx: Context): number | undefined {
    const owner = ownerOf(spiR, keys);
    const { slices } = inForce(ctx).config;
    if (owner === undefined || owner >= slices) return undefined;
    return owner === keys.member.ordinal ? this.#moved.get(spiR) : owner;
  }

  /** Our answer to a sibling. The SA ends here in the same step. */
  give(
    { spiI, spiR, from }: Fetch,
    ctx: Context,
  ): { answer: Answer; outputs: readonly Output[]; ends: NonNullable<Step['ends']> } {
    const sa = ctx.find(spiR);
    if (!sa || sa.spiI !== spiI || !inPhase(sa, 'halfOpen') || sa.window.expected !== 1) {
      const to = this.#moved.get(spiR);
      return { answer: to === undefined ? { kind: 'gone' } : { kind: 'moved', to }, outputs: [], ends: [] };
    }
    this.#rememberFirst(sa);
    remember(this.#moved, spiR, from);
    const outputs = [event({ name: 'handed-over', to: from, ...which(sa) })];
    return { answer: { kind: 'sa', sa: encodeSa(sa) }, outputs, ends: [{ spi: spiR, why: 'handed over' }] };
  }

  /** A sibling's answer to us; undefined: there was none. */
  conclude(
    { spiI, spiR, to }: Fetch,
    answer: Answer | undefined,
    { member }: Member,
    ctx: Context,
  ): { sa?: IkeSa; waiting: readonly Waiting[]; outputs: readonly Output[]; ends: []; to?: number; words?: Words } {
    const pending = this.#pending.get(spiR);
    const nothing = { waiting: [], ends: [] as [] };
    if (!pending) return { ...nothing, outputs: [] };
    if (answer?.kind === 'moved' && answer.to !== member.ordinal && pending.hops < MAX_HOPS) {
      pending.hops += 1;
      return { ...nothing, outputs: [], to: answer.to, words: { kind: 'fetch', spiI, spiR } };
    }
    this.#pending.delete(spiR);
    if (answer?.kind === 'sa') return this.#take(answer.sa, spiR, to, pending, ctx);
    if (answer) remember(this.#gone, spiR, later(ctx.now, GONE_MS));
    return { ...nothing, outputs: [failed(answer ? 'gone' : 'silent', spiR)] };
  }

  firstResponse(spiI: string, request: Bytes, path: Path, now: Instant): Output[] | undefined {
    const key = `${spiI} ${path.remote}`;
    const known = this.#first.get(key);
    if (!known || !equalBytes(known.request, request)) return undefined;
    if (known.until <= now) {
      this.#first.delete(key);
      return undefined;
    }
    return known.response.map((bytes) => ({ type: 'send', path, bytes }));
  }

  #take(encoded: Bytes, spiR: string, from: number, pending: Pending, ctx: Context) {
    const sa = encoded[0] === SA_VERSION ? decodeSa(encoded) : undefined;
    if (!sa || sa.spiR !== spiR || !inPhase(sa, 'halfOpen'))
      return { waiting: [], ends: [] as [], outputs: [failed('unreadable', spiR)] };
    this.#moved.delete(spiR);
    const until = later(ctx.now, inForce(ctx).config.ike.halfOpenMs);
    const taken = { ...sa, phase: { ...sa.phase, until } };
    return { sa: taken, waiting: pending.waiting, ends: [] as [], outputs: [event({ name: 'taken-over', from, ...which(sa) })] };
  }

  #rememberFirst(sa: InPhase<'halfOpen'>): void {
    const { first, until } = sa.phase;
    remember(this.#first, `${sa.spiI} ${sa.path.remote}`, { request: first.initiator, response: sa.window.answered, until });
  }

  /** Under a flood of questions the oldest go: their clients have repeated themselves, or will. */
  #boundPending(): Output[] {
    const outputs: Output[] = [];
    for (const spiR of this.#pending.keys()) {
      if (this.#pending.size <= MAX_PENDING) break;
      this.#pending.delete(spiR);
      outputs.push(failed('crowded', spiR));
    }
    return outputs;
  }
}

/** Never responses, never garbage: the first protected request of an SA. */
const couldBeFirstOnNewPath = ({ response, initiator, exchange, messageId, encrypted }: Message): boolean =>
  !response &&
  initiator &&
  messageId === 1 &&
  encrypted !== undefined &&
  (exchange === Exchange.IKE_AUTH || exchange === Exchange.IKE_INTERMEDIATE);

function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= MAX_REMEMBERED) return;
    map.delete(oldest);
  }
}

const failed = (reason: 'gone' | 'silent' | 'unreadable' | 'crowded', spiR: string): Output =>
  event({ name: 'hand-off-failed', reason, spiR });
