/** The one place where inputs meet the core: hands them in with the time, carries out what comes back, and owns the one real timer. */
import type { DataplaneOrder, DataplaneReport } from '../contract/dataplane.ts';
import type { Dataplane, PacketDataplane } from '../dataplane/dataplane.ts';
import type { EapSpeaker } from '../eap/speaker.ts';
import type { EapAnswer, EapQuestion } from '../ike/eap.ts';
import type { Instant, Path } from '../ike/sa.ts';
import type { Event, Input, Output } from '../ike/step.ts';
import type { Bytes } from '../ike/wire/bytes.ts';
import type { Clock } from './clock.ts';
import type { Core } from './core.ts';
import { Outbox } from './outbox.ts';

/** Runs once, at the earliest after `ms`; answers how to call it off. */
export type After = (ms: number, run: () => void) => () => void;

export interface LoopPorts {
  readonly core: Core;
  readonly clock: Clock;
  readonly after: After;
  readonly send: (bytes: Bytes, path: Path) => void;
  readonly dataplane: Pick<Dataplane, 'order' | 'reports' | 'settle'> & Pick<PacketDataplane, 'receive'>;
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
/** A data plane that has not carried out an order by then may never do so, and peers wait for their answers; less than they do, more than a throttled node pauses. */
const ORDER_MS = 10_000;
/** A sibling waits for its answer no longer than half a second. */
const SETTLE_MS = 200;
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
  readonly #outbox: Outbox;
  /** Each ends one wait for the data plane. */
  readonly #waits = new Set<() => void>();
  #questions = 0;
  #stopped = false;
  #armed: { readonly at: number; readonly cancel: () => void } | undefined;
  #reportAt = Number.POSITIVE_INFINITY;
  #reports: readonly DataplaneReport[] = [];

  constructor(ports: LoopPorts) {
    this.#ports = ports;
    this.#outbox = new Outbox((bytes, path) => {
      if (!this.#stopped) this.#guard('send', () => this.#ports.send(bytes, path));
    });
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

  /** A sibling's question. A session that leaves takes its sequence numbers along, as far as they have come by now. */
  async answer(bytes: Bytes): Promise<Bytes | undefined> {
    await this.#settled();
    return this.#stopped ? undefined : this.#answered(bytes);
  }

  /** The core answers within the call or not at all. */
  #answered(bytes: Bytes): Bytes | undefined {
    const question = `sibling-${++this.#questions}`;
    let answer: Bytes | undefined;
    this.#answers.set(question, (given) => {
      answer = given;
    });
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
    for (const end of this.#waits) end();
  }

  #ask(input: Input): readonly Output[] {
    try {
      return this.#ports.core.handle(input, this.#ports.clock());
    } catch (error) {
      this.#ports.failed(error, input.type);
      return [];
    }
  }

  /** What is sent after an order leaves when that is carried out: nobody is promised what is not there. */
  #perform(outputs: readonly Output[]): void {
    let ordered: Promise<unknown> | undefined;
    for (const output of outputs) {
      if (output.type === 'send') this.#outbox.send(output.bytes, output.path, ordered);
      else if (output.type !== 'dataplane') this.#guard(output.type, () => this.#carryOut(output));
      else {
        const doing = this.#order(output.order);
        ordered = ordered && doing ? Promise.all([ordered, doing]) : (doing ?? ordered);
      }
    }
  }

  /** Fulfilled when it is carried out, or was not in time; undefined: it is already. Never rejects. */
  #order(order: DataplaneOrder): Promise<void> | undefined {
    const doing = `dataplane ${order.order}`;
    const failed = (error: unknown): void => {
      this.#ports.failed(error, doing);
      this.#lost(order, 'the data plane failed');
    };
    try {
      const done = this.#ports.dataplane.order(order);
      if (!(done instanceof Promise)) return undefined;
      return this.#inTime(done.then(nothing, failed), ORDER_MS, () => this.#lost(order, 'the data plane did not answer'));
    } catch (error) {
      failed(error);
      return undefined;
    }
  }

  #lost(order: DataplaneOrder, reason: string): void {
    if (order.order !== 'install' || this.#stopped) return;
    this.#reports = [...this.#reports, { report: 'lost', spiIn: order.child.spiIn, reason }];
    this.#arm();
  }

  #inTime(done: Promise<void>, ms: number, late: () => void): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#ports.after(ms, () => {
        late();
        end();
      });
      const end = (): void => {
        cancel();
        this.#waits.delete(end);
        resolve();
      };
      this.#waits.add(end);
      void done.then(() => {
        if (!this.#waits.has(end)) return;
        end();
        // Of what came to be with it.
        this.expectReports();
      });
    });
  }

  async #settled(): Promise<void> {
    try {
      const settled = this.#ports.dataplane.settle();
      if (settled)
        await this.#inTime(
          settled.catch((error) => this.#ports.failed(error, 'settle')),
          SETTLE_MS,
          () => {},
        );
    } catch (error) {
      this.#ports.failed(error, 'settle');
    }
  }

  #carryOut(output: Exclude<Output, { type: 'send' | 'dataplane' }>): void {
    switch (output.type) {
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

const nothing = (): void => {};

const isDue = (core: Core, now: Instant): boolean => (core.deadline()?.at ?? Number.POSITIVE_INFINITY) <= now;
