/** Our questions for SAs that siblings have: one for each SA, the datagrams that wait for its answer, and those that nobody answered. */
import { Allowance } from './allowance.ts';
import type { Question } from './peer-channel.ts';
import { type Instant, later, type Path, pairOf, type SpiPair } from './sa.ts';
import { ShortMemory } from './short-memory.ts';
import type { Bytes } from './wire/bytes.ts';

export type Fetch = Extract<Question, { kind: 'fetch' }>;

export interface Waiting {
  readonly path: Path;
  readonly bytes: Bytes;
}

/** A question in flight, and what waits for its answer. */
export interface Pending {
  question: Fetch | undefined;
  readonly waiting: Waiting[];
  /** Where its first datagram came. */
  readonly path: Path;
  readonly since: Instant;
  bytes: number;
  hops: number;
  tries: number;
}

/** A question that nobody answered. */
interface Silent {
  readonly question: Fetch;
  readonly hops: number;
  readonly path: Path;
}

const QUESTIONS_PER_SECOND = 2_000;
const BURST = 500;
const MAX_PENDING = 2_048;
const MAX_WAITING_EACH = 16;
const MAX_WAITING_BYTES_EACH = 64 * 1024;
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
const MAX_SILENT = 16_384;
/** A question that nobody answers rests after this, until the client repeats itself. */
export const PENDING_MS = 2_000;
/** How long a question that nobody answered is put again as it was; the giver must remember its answer for longer. */
const SILENT_MS = 8_000;
export const ANSWER_MS = 15_000;

export class PendingFetches {
  readonly #pending = new Map<string, Pending>();
  #waitingBytes = 0;
  readonly #allowance = new Allowance(QUESTIONS_PER_SECOND, BURST);
  /** The SA may have been given to us in an answer that was lost. */
  readonly #silent = new ShortMemory<Silent>(MAX_SILENT);

  get(pair: SpiPair): Pending | undefined {
    return this.#pending.get(pairOf(pair));
  }

  silent(pair: SpiPair, now: Instant): Silent | undefined {
    const silent = this.#silent.get(pairOf(pair), now);
    if (!silent) this.#silent.delete(pairOf(pair));
    return silent;
  }

  hasPlace(now: Instant): boolean {
    return this.#pending.size < MAX_PENDING && this.#allowance.take(now);
  }

  /** `hops`: the pods that the question has been to, with the one that it goes to now. */
  begin(pair: SpiPair, datagram: Waiting, hops: number, now: Instant): void {
    const { path } = datagram;
    const pending: Pending = { question: undefined, waiting: [], path, bytes: 0, since: now, hops, tries: 1 };
    this.#pending.set(pairOf(pair), pending);
    this.keep(pending, datagram);
  }

  /** Another datagram waits too, where there is place. */
  keep(pending: Pending, datagram: Waiting): void {
    const { length } = datagram.bytes;
    if (pending.waiting.length >= MAX_WAITING_EACH || pending.bytes + length > MAX_WAITING_BYTES_EACH) return;
    if (this.#waitingBytes + length > MAX_WAITING_BYTES) return;
    pending.waiting.push(datagram);
    pending.bytes += length;
    this.#waitingBytes += length;
  }

  dropFirst(pending: Pending): void {
    const length = pending.waiting.shift()?.bytes.length ?? 0;
    pending.bytes -= length;
    this.#waitingBytes -= length;
  }

  /** What waited for it. */
  finish(pair: SpiPair, pending: Pending | undefined): readonly Waiting[] {
    if (!pending) return [];
    this.#pending.delete(pairOf(pair));
    this.#waitingBytes -= pending.bytes;
    this.#silent.delete(pairOf(pair));
    return pending.waiting;
  }

  /** What waited is dropped: its client repeats itself, and then the question is put again as it was. */
  silence(pair: SpiPair, pending: Pending): void {
    const { question, hops, since, path } = pending;
    const before = this.#silent.until(pairOf(pair));
    this.finish(pair, pending);
    if (question) this.#silent.set(pairOf(pair), { question, hops, path }, before ?? later(since, SILENT_MS));
  }

  /** Questions that the shell never concludes. */
  rest(now: Instant): void {
    for (const [pair, pending] of this.#pending) {
      if (now - pending.since < PENDING_MS) return; // in the order of their time
      const [spiI = '', spiR = ''] = pair.split(' ');
      this.silence({ spiI, spiR }, pending);
    }
  }

  prune(now: Instant): void {
    this.rest(now);
    this.#silent.prune(now);
  }

  get isEmpty(): boolean {
    return this.#pending.size === 0 && this.#silent.size === 0;
  }
}
