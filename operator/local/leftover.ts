/** Pods that a crashed former run left behind: ended if the process is provably the one that was noted, else left alone. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, pause } from '../clock.ts';
import { readJsonIfThere } from './disk.ts';
import { isRunning, type OwnProcess, signal } from './own-process.ts';

export const PID_FILE = 'process.json';

const GRACE_MS = 2_000;
const STEP_MS = 50;

/** `pods` has a directory per pod. Answers the ids of the processes that it ended. */
export async function endLeftovers(pods: string, clock: Clock): Promise<readonly number[]> {
  const directories = readdirSync(pods).map((name) => join(pods, name));
  const running = directories
    .map((directory) => readProcess(join(directory, PID_FILE)))
    .filter((known) => known && isRunning(known));
  const known = running.filter((process) => process !== undefined);
  for (const process of known) signal(process, 'SIGTERM');
  const until = clock.elapsed() + GRACE_MS;
  while (clock.elapsed() < until && known.some(isRunning)) await pause(clock, STEP_MS);
  for (const process of known) signal(process, 'SIGKILL');
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
  return known.map(({ pid }) => pid);
}

function readProcess(file: string): OwnProcess | undefined {
  try {
    const { pid, startTime, bootId } = { ...Object(readJsonIfThere(file)) };
    const complete = typeof pid === 'number' && pid > 1 && typeof startTime === 'string' && typeof bootId === 'string';
    return complete ? { pid, startTime, bootId } : undefined;
  } catch {
    return undefined; // cut off in the middle of a write: nothing is known, so nothing is ended
  }
}
