/** Programs of the host that configure its network: `ip` and `nft`. No shell, input by a pipe. */
import { execFile } from 'node:child_process';

export interface Program {
  readonly name: string;
  /** What to install where there is none. */
  readonly package: string;
}

export const IP: Program = { name: 'ip', package: 'iproute2' };
export const NFT: Program = { name: 'nft', package: 'nftables' };

/** Longer than any of these takes; what hangs must not hold up what waits behind it. */
const LONGEST_MS = 20_000;
const LONGEST_OUTPUT = 16 << 20;

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
export function run(program: Program, args: readonly string[], input = ''): Promise<string> {
  const command = [program.name, ...args].join(' ');
  return new Promise((resolve, reject) => {
    const child = execFile(program.name, args, { timeout: LONGEST_MS, maxBuffer: LONGEST_OUTPUT }, (error, stdout, stderr) => {
      if (error) reject(new ProgramError(command, reasonOf(error, stderr, program)));
      else resolve(stdout);
    });
    // It may end without having read all.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

/** Without anything to show, some versions print nothing. @throws ProgramError */
export async function ipJson(args: readonly string[]): Promise<readonly unknown[]> {
  return JSON.parse((await run(IP, ['-json', ...args])).trim() || '[]');
}

function reasonOf(
  error: Error & { readonly code?: unknown; readonly killed?: boolean },
  stderr: string,
  { package: missing }: Program,
): string {
  if (error.code === 'ENOENT') return `no such program; install ${missing}`;
  if (error.killed) return `not done after ${LONGEST_MS / 1000} s`;
  const lines = stderr.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '').join('; ') || error.message;
}
