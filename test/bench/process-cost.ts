/** What a process has cost so far, as Linux counts it; and which core it runs on. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** USER_HZ, in which /proc/PID/stat counts processor time: 100 on every Linux. */
const TICK_US = 10_000;

/** Processor time of all its threads, user and system: to the nanosecond where the kernel keeps statistics of scheduling, else in ticks. */
export const processorUs = (pid: number): number => scheduledUs(pid) ?? tickedUs(pid);

export function residentBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) * 1024;
}

function scheduledUs(pid: number): number | undefined {
  const tasks = `/proc/${pid}/task`;
  try {
    const ns = readdirSync(tasks).map((task) => Number(readFileSync(`${tasks}/${task}/schedstat`, 'latin1').split(' ')[0]));
    const sum = ns.reduce((one, other) => one + other, 0);
    return sum > 0 ? sum / 1_000 : undefined;
  } catch {
    return undefined;
  }
}

function tickedUs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_US;
}

const canPin = spawnSync('taskset', ['--version']).status === 0;

/** A command that runs on that core alone, where that can be had. */
export const pinned = (core: number, command: readonly string[]): readonly string[] =>
  canPin ? ['taskset', '-c', String(core), ...command] : command;

/** All threads that it has now, and those that they start. */
export function pin(core: number, pid: number): void {
  if (canPin) spawnSync('taskset', ['-a', '-cp', String(core), String(pid)]);
}
