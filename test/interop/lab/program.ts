/** A process of the lab, followed through the lines that it writes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { PATH } from './tools.ts';

/** Everything here happens on one machine; what has not come by then does not come. Slow machines get more time. */
export const PATIENCE_MS = Number(process.env['REKINDLE_LAB_PATIENCE_MS'] ?? 15_000);
const STOP_LIMIT_MS = 5_000;

export interface Waiting {
  /** What to wait for, in words. */
  readonly what: string;
  readonly withinMs?: number;
}

export class Program {
  readonly name: string;
  readonly lines: string[] = [];
  readonly #process: ChildProcess;
  readonly #exit: Promise<unknown>;
  #silent = false;
  #waiters = new Set<() => void>();

  /** All that it writes goes to `logFile` too. */
  constructor(name: string, argv: readonly string[], logFile: string) {
    this.name = name;
    const [command = '', ...args] = argv;
    this.#process = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, PATH } });
    const log = createWriteStream(logFile, { flags: 'a' });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      if (!stream) continue;
      stream.pipe(log, { end: false });
      createInterface(stream).on('line', (line) => this.#hear(line));
    }
    this.#process.on('error', (error) => this.#hear(`cannot run ${command}: ${error.message}`));
    // Not `exit`: what it said last may still be on its way then.
    this.#exit = new Promise((resolve) => this.#process.once('close', resolve));
    this.#process.once('close', () => {
      this.#silent = true;
      this.#wake();
    });
  }

  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null && this.#process.pid !== undefined;
  }

  /** Of the command, as long as that replaces itself (exec) with what it starts. */
  get pid(): number {
    return this.#process.pid ?? 0;
  }

  get exitCode(): number | null {
    return this.#process.exitCode;
  }

  /** The first `times` lines for which `pick` answers something, once there are so many. @throws Error when they do not come. */
  async wait<T>(pick: (line: string) => T | undefined, times: number, { what, withinMs = PATIENCE_MS }: Waiting): Promise<T[]> {
    const deadline = performance.now() + withinMs;
    for (;;) {
      const found = this.lines.map(pick).filter((one) => one !== undefined);
      if (found.length >= times) return found;
      const left = deadline - performance.now();
      const count = times === 1 ? '' : ` (${found.length} of ${times} times)`;
      if (this.#silent) throw new Error(`${this.name} ended before it said: ${what}${count}`);
      if (left <= 0) throw new Error(`${this.name} did not say within ${withinMs} ms: ${what}${count}`);
      await this.#nextLine(left);
    }
  }

  signal(signal: NodeJS.Signals): void {
    if (this.running) this.#process.kill(signal);
  }

  /** Ends it now, so that it can say nothing more to anybody. */
  async kill(): Promise<void> {
    this.signal('SIGCONT');
    this.signal('SIGKILL');
    await this.#exit;
  }

  /** Ends it in good order, else by force. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.signal(signal);
    const timer = setTimeout(() => this.signal('SIGKILL'), STOP_LIMIT_MS);
    await this.#exit;
    clearTimeout(timer);
  }

  /** Done when it has ended by itself. */
  async ended(withinMs = PATIENCE_MS): Promise<void> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error(`${this.name} did not end within ${withinMs} ms`)), withinMs);
    await Promise.race([this.#exit, late.promise]).finally(() => clearTimeout(timer));
  }

  #hear(line: string): void {
    this.lines.push(line);
    this.#wake();
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = new Set();
    for (const wake of waiters) wake();
  }

  async #nextLine(limitMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiters.add(resolve);
    const timer = setTimeout(resolve, limitMs);
    await promise;
    clearTimeout(timer);
  }
}
