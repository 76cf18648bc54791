/** Programs of the host that configure its network: `ip` and `nft`. No shell; input by a file in memory. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { memoryFile } from './memory-file.ts';

export interface Program {
  readonly name: string;
  /** What to install where there is none. */
  readonly package: string;
}

export const IP: Program = { name: 'ip', package: 'iproute2' };
export const NFT: Program = { name: 'nft', package: 'nftables' };

/** Where a program finds its input that opens files by name; not every system has /dev/stdin. */
export const INPUT_FILE = '/proc/self/fd/0';

/** Longer than any of these takes; what hangs must not hold up what waits behind it. */
const LONGEST_MS = 20_000;

/** It ran and said no. */
export class ProgramError extends Error {
  /** What it wrote to standard error, on one line. */
  readonly text: string;

  constructor(command: string, text: string) {
    super(`${command}: ${text}`);
    this.text = text;
  }
}

/** What it wrote to standard output. @throws ProgramError with what it said, or what to install. */
export async function run(program: Program, args: readonly string[], input?: string): Promise<string> {
  const command = [program.name, ...args].join(' ');
  const stdin = input === undefined ? undefined : await memoryFile(input);
  try {
    const { status, stdout, stderr } = await ended(
      spawn(program.name, args, { stdio: [stdin ?? 'ignore', 'pipe', 'pipe'], timeout: LONGEST_MS }),
    );
    if (status === 0) return stdout;
    throw new ProgramError(
      command,
      oneLine(stderr) || (status === null ? `not done after ${LONGEST_MS / 1000} s` : `ended with ${status}`),
    );
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error;
    throw new ProgramError(command, error.code === 'ENOENT' ? `no such program; install ${program.package}` : error.message);
  } finally {
    if (stdin !== undefined) closeSync(stdin);
  }
}

interface Ending {
  /** Null: ended by a signal. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function ended(child: ChildProcess): Promise<Ending> {
  const read = (stream: Readable | null): Promise<string> => (stream ? text(stream) : Promise.resolve(''));
  const [stdout, stderr, [status]] = await Promise.all([read(child.stdout), read(child.stderr), once(child, 'close')]);
  return { status, stdout, stderr };
}

const oneLine = (stderr: string): string =>
  stderr
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join('; ');

/** Without anything to show, some versions print nothing. @throws ProgramError */
export async function ipJson(args: readonly string[]): Promise<readonly unknown[]> {
  return JSON.parse((await run(IP, ['-json', ...args])).trim() || '[]');
}
