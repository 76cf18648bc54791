/** What work costs: of this kernel, which has one processor, and of single processes. */
import { readFileSync } from 'node:fs';

/** proc(5): USER_HZ is 100 on every machine that has user-mode Linux. */
const TICK_MS = 10;

/** Since boot, in ms. */
export function busyMs(): number {
  const [, user, nice, system, , , irq, softirq] = readFileSync('/proc/stat', 'utf8').split('\n')[0]?.split(/\s+/) ?? [];
  return [user, nice, system, irq, softirq].reduce((sum, ticks) => sum + Number(ticks), 0) * TICK_MS;
}

/** Since the process began, in ms. */
export function processMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}
