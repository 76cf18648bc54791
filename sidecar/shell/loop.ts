/** The one place where inputs meet the core: hands them in with the time, carries out what comes back, and owns the one real timer. */
import type { DataplaneReport } from '../contract/dataplane.ts';
import type { PacketDataplane } from '../dataplane/dataplane.ts';
import type { EapSpeaker } from '../eap/speaker.ts';
import type { EapAnswer, EapQuestion } from '../ike/eap.ts';
import type { Instant, Path } from '../ike/sa.ts';
import type { Event, Input, Output } from '../ike/step.ts';
import type { Bytes } from '../ike/wire/bytes.ts';
import type { Clock } from './clock.ts';
import type { Core } from './core.ts';

/** Runs once, at the earliest after `ms`; answers how to call it off. */
export type After = (ms: number, run: () => void) => () => void;

export interface LoopPorts {
  readonly core: Core;
  readonly clock: Clock;
  readonly after: After;
  readonly send: (bytes: Bytes, path: Path) => void;
  readonly dataplane: PacketDataplane;
  /** Puts a question to a sibling pod; answers undefined when it has none or is silent. */
  readonly ask: (ordinal: number, bytes: Bytes) => Promise<Bytes | undefined>;
  /** Speaks EAP; nobody when it is not there. */
  readonly eap?: EapSpeaker;
  readonly observe: (event: Event) => void;
  /** An exception that is a bug, or something that a port refused to do. The loop goes on. */
  readonly failed: (error: unknown, doing: string) => void;
}

/** How soon the core learns what the data plane saw. */
const REPORT_MS = 1_000;
/** Each can mean messages to its peer; datagrams get their turn in between. */
const REPORTS_PER_TURN = 500;
/** setTimeout cannot wait longer. */
const LONGEST_WAIT_MS = 2 ** 31 - 1;

export const systemAfter: After = (ms, run) => {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
};

export class Loop {
  readonly #ports: LoopPorts;
  readonly #answers = new Map<string, (bytes: Bytes) => void>();
  #questions = 0;
  #stopped = false;
  #armed: { readonly at: number; readonly cancel: () => void } | undefined;
  #reportAt = Number.POSITIVE_INFINITY;
  #reports: readonly DataplaneReport[] = [];

  constructor(ports: LoopPorts) {
    this.#ports = ports;
  }

  handle(input: Input): void {
    this.#perform(this.#ask(input));
    this.#arm();
  }

  /** An ESP packet off the wire. */
  receiveEsp(packet: Bytes, path: Path): void {
    this.#guard('esp', () => void this.#ports.dataplane.receive(packet, path));
    this.expectReports();
  }

  /** The data plane carried something: it will have something to report soon. */
  expectReports(): void {
    if (this.#reportAt !== Number.POSITIVE_INFINITY) return;
    this.#reportAt = this.#ports.clock() + REPORT_MS;
    this.#arm();
  }

  /** A sibling's question. The core answers within the call or not at all. */
  answer(bytes: Bytes): Bytes | undefined {
    const question = `sibling-${++this.#questions}`;
    let answer: Bytes | undefined;
    this.#answers.set(question, (given) => {
      answer = given;
    });
    // A session that leaves takes its sequence numbers along, as far as they have come by now.
    this.#drain();
    for (const report of this.#reports) this.handle({ type: 'report', report });
    this.#reports = [];
    this.handle({ type: 'asked', question, bytes });
    this.#answers.delete(question);
    return answer;
  }

  /** No timer fires from now on, and answers of siblings come too late. */
  stop(): void {
    this.#stopped = true;
    this.#armed?.cancel();
    this.#armed = undefined;
  }

  #ask(input: Input): readonly Output[] {
    try {
      return this.#ports.core.handle(input, this.#ports.clock());
    } catch (error) {
      this.#ports.failed(error, input.type);
      return [];
    }
  }

  #perform(outputs: readonly Output[]): void {
    for (const output of outputs) this.#guard(nameOf(output), () => this.#carryOut(output));
  }

  #carryOut(output: Output): void {
    switch (output.type) {
      case 'send':
        this.#ports.send(output.bytes, output.path);
        break;
      case 'dataplane':
        this.#ports.dataplane.order(output.order);
        break;
      case 'ask':
        void this.#question(output);
        break;
      case 'answer':
        this.#answers.get(output.question)?.(output.bytes);
        break;
      case 'eap':
        void this.#converse(output.question);
        break;
      case 'eap-forget':
        this.#ports.eap?.forget(output.conversation);
        break;
      case 'event':
        this.#ports.observe(output.event);
        break;
    }
  }

  async #question({ ordinal, question, bytes }: Extract<Output, { type: 'ask' }>): Promise<void> {
    let answer: Bytes | undefined;
    try {
      answer = await this.#ports.ask(ordinal, bytes);
    } catch (error) {
      this.#ports.failed(error, 'ask');
    }
    if (!this.#stopped) this.handle({ type: 'answered', question, bytes: answer });
  }

  async #converse(question: EapQuestion): Promise<void> {
    let answer: EapAnswer | undefined;
    try {
      answer = await this.#ports.eap?.answer(question);
    } catch (error) {
      this.#ports.failed(error, 'eap');
    }
    answer ??= { is: 'failure', message: undefined, why: 'nobody speaks EAP here' };
    if (!this.#stopped) this.handle({ type: 'eap-answered', conversation: question.conversation, answer });
  }

  /** What is done for one peer must not end the process that serves them all. */
  #guard(doing: string, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#ports.failed(error, doing);
    }
  }

  /** An armed timer that fires too early costs less than arming a new one after every step. */
  #arm(): void {
    const due = this.#due();
    if (this.#stopped || due === Number.POSITIVE_INFINITY || (this.#armed && this.#armed.at <= due)) return;
    this.#armed?.cancel();
    const wait = Math.min(Math.max(0, due - this.#ports.clock()), LONGEST_WAIT_MS);
    this.#armed = { at: due, cancel: this.#ports.after(wait, () => this.#fire()) };
  }

  #due(): number {
    if (this.#reports.length > 0) return Number.NEGATIVE_INFINITY;
    return Math.min(this.#ports.core.deadline()?.at ?? Number.POSITIVE_INFINITY, this.#reportAt);
  }

  #fire(): void {
    this.#armed = undefined;
    const now = this.#ports.clock();
    if (this.#reportAt <= now) this.#drain();
    this.#report();
    if (isDue(this.#ports.core, now)) this.handle({ type: 'deadline' });
    this.#arm();
  }

  #drain(): void {
    this.#reportAt = Number.POSITIVE_INFINITY;
    this.#guard('reports', () => {
      this.#reports = [...this.#reports, ...this.#ports.dataplane.reports()];
    });
  }

  #report(): void {
    const turn = this.#reports.slice(0, REPORTS_PER_TURN);
    this.#reports = this.#reports.slice(REPORTS_PER_TURN);
    for (const report of turn) this.handle({ type: 'report', report });
  }
}

const nameOf = (output: Output): string => (output.type === 'dataplane' ? `dataplane ${output.order.order}` : output.type);

const isDue = (core: Core, now: Instant): boolean => (core.deadline()?.at ?? Number.POSITIVE_INFINITY) <= now;
