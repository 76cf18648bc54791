/** Pings without a pause, each of which is accounted for: what is between the first answer and the last one and was not answered is lost. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Machine } from '../../interop/lab/machine.ts';
import type { Program } from '../../interop/lab/program.ts';

const INTERVAL_MS = 10;
/** What was asked so long ago is answered or lost. */
const SETTLE_MS = 500;

export interface Account {
  readonly sent: number;
  readonly lost: number;
  /** The longest run of lost ones in a row, in ms. */
  readonly gapMs: number;
}

export class Flood {
  readonly #ping: Program;
  readonly #intervalMs: number;

  private constructor(ping: Program, intervalMs: number) {
    this.#ping = ping;
    this.#intervalMs = intervalMs;
  }

  /** Done when the first answer is there. `from`: undefined leaves it to the routes. */
  static async start(machine: Machine, from: string | undefined, to: string, intervalMs = INTERVAL_MS): Promise<Flood> {
    const source = from === undefined ? [] : ['-I', from];
    const argv = ['stdbuf', '-oL', 'ping', '-n', '-i', String(intervalMs / 1_000), ...source, to];
    const flood = new Flood(machine.start(`flood-${to}-${++started}`, argv), intervalMs);
    await flood.answered(1);
    return flood;
  }

  /** So many answers have come. */
  async answered(count: number, withinMs?: number): Promise<void> {
    await this.#ping.wait(answerOf, count, { what: 'an answer', ...(withinMs === undefined ? {} : { withinMs }) });
  }

  /** So many more answers have come. */
  more(count: number, withinMs?: number): Promise<void> {
    return this.answered(this.#ping.lines.filter((line) => answerOf(line) !== undefined).length + count, withinMs);
  }

  /** After the answers to the last ones had time to come. */
  async stop(): Promise<Account> {
    await pause(SETTLE_MS);
    await this.#ping.stop('SIGINT');
    return accountOf(
      this.#ping.lines.flatMap((line) => answerOf(line) ?? []),
      this.#intervalMs,
    );
  }
}

let started = 0;

/** Its number. */
function answerOf(line: string): number | undefined {
  const [, sequence] = /^\d+ bytes from .* icmp_seq=(\d+) /.exec(line) ?? [];
  return sequence === undefined ? undefined : Number(sequence);
}

export function accountOf(answers: readonly number[], intervalMs: number): Account {
  const distinct = [...new Set(answers)].sort((a, b) => a - b);
  const first = distinct[0] ?? 0;
  const last = distinct.at(-1) ?? 0;
  const gaps = distinct.slice(1).map((sequence, index) => sequence - (distinct[index] ?? 0) - 1);
  return { sent: last - first + 1, lost: last - first + 1 - distinct.length, gapMs: Math.max(0, ...gaps) * intervalMs };
}
