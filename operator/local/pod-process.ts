/** One run of a pod's container as a child process: started, heard, and ended by its own id. */
import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import type { Clock } from '../clock.ts';
import { writeWhole } from './disk.ts';
import { identify, type OwnProcess } from './own-process.ts';
import type { PodLog } from './pod-log.ts';

export interface Program {
  /** Arguments of node: the script and what it is told. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly directory: string;
  /** Remembers the process, so that a later run can recognise what a crashed one left. */
  readonly pidFile: string;
}

export interface Exit {
  /** -1 when it could not even be started. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const WARDEN = new URL('./warden.ts', import.meta.url).href;

export class PodProcess {
  readonly pid: number;
  readonly startedAt: number;
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #clock: Clock;

  constructor(program: Program, log: PodLog, clock: Clock) {
    this.#clock = clock;
    this.startedAt = clock.elapsed();
    // A group of its own: Ctrl-C in the terminal is for us, and we end the pods in order.
    this.#child = spawn(process.execPath, ['--import', WARDEN, ...program.args], {
      cwd: program.directory,
      env: { PATH: process.env['PATH'] ?? '', ...program.env },
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      detached: true,
    });
    this.pid = this.#child.pid ?? -1;
    this.#child.stdout?.on('data', (bytes: Uint8Array) => log.write(bytes));
    this.#child.stderr?.on('data', (bytes: Uint8Array) => log.write(bytes));
    const own = identify(this.pid);
    if (own) remember(program.pidFile, own);
    this.exited = new Promise((resolve) => {
      this.#child.once('error', () => resolve({ code: -1, signal: null }));
      // 'close' and not 'exit': all that it printed has been read.
      this.#child.once('close', (code, signal) => {
        rmSync(program.pidFile, { force: true });
        resolve({ code, signal });
      });
    });
  }

  kill(signal: NodeJS.Signals): boolean {
    return this.#child.kill(signal);
  }

  /** SIGTERM, and SIGKILL when that was not enough. */
  async end(graceMs: number): Promise<Exit> {
    this.kill('SIGTERM');
    const cancel = this.#clock.after(graceMs, () => this.kill('SIGKILL'));
    const exit = await this.exited;
    cancel();
    return exit;
  }
}

function remember(file: string, own: OwnProcess): void {
  writeWhole(file, `${JSON.stringify(own)}\n`);
}
