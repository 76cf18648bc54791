/** What the agent and the data plane of the kernel do, in user-mode Linux; see ../../kernel/bench.ts. */
import { benchKernel, type PlaneCost } from '../../kernel/bench.ts';
import { tableOf } from '../table.ts';

/** Needs Linux on amd64 and root. @throws Error */
export async function reportKernel(): Promise<string> {
  if (process.arch !== 'x64') return '\nkernel: not measured, since Debian has user-mode Linux for amd64 alone\n';
  const { where, children, planes } = await benchKernel();
  const rates = { installed: children.installedPerSecond, removed: children.removedPerSecond };
  return [
    `\n${where}; one processor for both ends. AES-256-GCM: the kernel plane without AES instructions, the one in user space with them`,
    tableOf(Object.entries(planes).map(([plane, cost]) => figures(plane, cost))),
    tableOf(Object.entries(rates).map(([what, rate]) => ({ 'children through the agent': what, 'per second': number(rate) }))),
    '',
  ].join('\n');
}

const figures = (plane: string, { megabits, msPerGigabit, podMsPerGigabit }: PlaneCost) => ({
  'data plane': plane,
  'Mbit/s': number(megabits),
  'CPU ms per Gbit, all': number(msPerGigabit),
  'sidecar and agent alone': number(podMsPerGigabit),
});

const number = (value: number): string => Math.round(value).toLocaleString('en');
