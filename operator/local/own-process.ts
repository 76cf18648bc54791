/** Processes by id *and* start time: an id alone may belong to somebody else by now. Linux only; elsewhere none is ever recognised. */
import { readFileSync } from 'node:fs';

export interface OwnProcess {
  readonly pid: number;
  /** Ticks since boot, from /proc. */
  readonly startTime: string;
  readonly bootId: string;
}

/** undefined when there is no such process. */
export function identify(pid: number): OwnProcess | undefined {
  try {
    // The second field is the program's name in parentheses and may hold anything; the 22nd field is the start time.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const startTime = fields[19];
    const zombie = fields[0] === 'Z' || fields[0] === 'X';
    return startTime === undefined || zombie ? undefined : { pid, startTime, bootId: bootId() };
  } catch {
    return undefined;
  }
}

export function isRunning(known: OwnProcess): boolean {
  const now = identify(known.pid);
  return now !== undefined && now.startTime === known.startTime && now.bootId === known.bootId;
}

/** Answers whether there was anybody to tell. */
export function signal(known: OwnProcess, name: NodeJS.Signals): boolean {
  if (!isRunning(known)) return false;
  try {
    process.kill(known.pid, name);
    return true;
  } catch {
    return false;
  }
}

const bootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
