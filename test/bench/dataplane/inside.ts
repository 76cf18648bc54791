/** The part of the bench that runs in namespaces of its own, as their first process: when it ends, everything in them ends. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { must } from '../../interop/lab/machine.ts';
import type { RootName } from '../../interop/lab/roots.ts';
import { PATH } from '../../interop/lab/tools.ts';
import { measureChildren } from './children.ts';
import { type Measured, measureAll } from './measurement.ts';
import { measurePrimitives } from './primitives.ts';
import { report } from './report.ts';
import { type Tunnel, tunnels } from './tunnel.ts';

export interface Order {
  readonly runs: number;
  readonly seconds: number;
  readonly only: readonly string[];
  readonly roots: readonly (readonly [RootName, string])[];
  readonly versions: readonly string[];
  readonly folder: string;
}

const EXIT_FAILED = 1;
const EXIT_INTERRUPTED = 130;
const order: Order = JSON.parse(process.argv[2] ?? '{}');

process.on('disconnect', () => process.exit(EXIT_INTERRUPTED));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(EXIT_INTERRUPTED));

try {
  await must('ip', ['link', 'set', 'lo', 'up']);
  const primitives = order.only.includes('primitives') ? await measurePrimitives(order.runs) : [];
  const children = order.only.includes('children') ? await measureChildren(order.runs) : [];
  process.stdout.write(report(order, await throughTunnels(order), primitives, children));
  process.exit(0);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(EXIT_FAILED);
}

async function throughTunnels({ only, roots, folder, runs, seconds }: Order): Promise<readonly Measured[]> {
  // Names of network namespaces and of the peers' roots are nobody else's.
  execFileSync('mount', ['-t', 'tmpfs', 'bench', '/run'], { env: { PATH } });
  mkdirSync('/run/netns');
  const open: Tunnel[] = [];
  for (const name of only)
    if (name in tunnels) open.push(await tunnels[name as keyof typeof tunnels]({ roots: new Map(roots), folder }));
  return measureAll(open, { runs, seconds }, (text) => process.stderr.write(`${text}\n`));
}
