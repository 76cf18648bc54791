/** The part of the interop tests that runs in namespaces of its own, as their first process: when it ends, everything in them ends. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { must } from './lab/machine.ts';
import { closingLine, details, outcome, table } from './lab/report.ts';
import type { RootName } from './lab/roots.ts';
import { runScenarios } from './lab/runner.ts';
import { PATH } from './lab/tools.ts';

export interface Order {
  readonly roots: readonly (readonly [RootName, string])[];
  readonly shim: string;
  readonly folder: string;
  readonly jobs: number;
  readonly keep: boolean;
  /** A folder for recordings. */
  readonly record: string | null;
  readonly names: readonly string[];
}

const EXIT_INTERRUPTED = 130;
const order: Order = JSON.parse(process.argv[2] ?? '{}');
const say = (text: string): void => void process.stdout.write(`${text}\n`);

process.on('disconnect', () => process.exit(EXIT_INTERRUPTED));
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    say('interrupted');
    process.exit(EXIT_INTERRUPTED);
  });
}

// What a scenario no longer waits for may fail when it is over; it has said what matters.
process.on('unhandledRejection', (error) => say(`afterwards: ${error instanceof Error ? error.message : error}`));

// Names of network namespaces and of machines' roots are nobody else's.
execFileSync('mount', ['-t', 'tmpfs', 'lab', '/run'], { env: { PATH } });
mkdirSync('/run/netns');
await must('ip', ['link', 'set', 'lo', 'up']);

const { names, shim, folder, jobs, keep, record } = order;
const roots = new Map(order.roots);
const began = performance.now();
const results = await runScenarios(names, {
  at: { roots, shim },
  folder,
  jobs,
  keep,
  record: record ?? undefined,
  observe: (result) => say(outcome(result)),
});

for (const result of results) if (result.failure) say(`\n${details({ ...result, failure: result.failure })}`);
say(`\n${table(results)}\n\n${((performance.now() - began) / 1_000).toFixed(1)} s`);
say(closingLine(results));
process.exit(results.some(({ failure }) => failure) ? 1 : 0);
