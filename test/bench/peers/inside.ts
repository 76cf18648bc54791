/** The part of the bench that runs in namespaces of its own, as their first process: when it ends, everything in them ends. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { must } from '../../interop/lab/machine.ts';
import type { RootName } from '../../interop/lab/roots.ts';
import { PATH } from '../../interop/lab/tools.ts';
import { makeCertificates } from '../certificates.ts';
import { CLIENT_CORE } from '../gateway-process.ts';
import { pin } from '../process-cost.ts';
import { type Amount, type Measured, measureCase } from './measurement.ts';
import { planOf } from './plan.ts';
import { report } from './report.ts';
import { holdClientAddresses, type Surroundings } from './responder.ts';

export interface Order extends Amount {
  readonly roots: readonly (readonly [RootName, string])[];
  readonly versions: readonly string[];
  readonly shim: string;
  readonly folder: string;
  readonly only: readonly string[];
}

const EXIT_FAILED = 1;
const EXIT_INTERRUPTED = 130;
const order: Order = JSON.parse(process.argv[2] ?? '{}');

process.on('disconnect', () => process.exit(EXIT_INTERRUPTED));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(EXIT_INTERRUPTED));

try {
  process.stdout.write(report(order, await measureAll(order)));
  process.exit(0);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(EXIT_FAILED);
}

async function measureAll({ roots, shim, folder, only, runs, handshakes, window }: Order): Promise<readonly Measured[]> {
  // Names of network namespaces and of the peers' roots are nobody else's.
  execFileSync('mount', ['-t', 'tmpfs', 'bench', '/run'], { env: { PATH } });
  mkdirSync('/run/netns');
  await must('ip', ['link', 'set', 'lo', 'up']);
  await holdClientAddresses();
  pin(CLIENT_CORE, process.pid);
  const around: Surroundings = {
    ...{ roots: new Map(roots), shim, folder },
    ...{ users: (runs + 1) * handshakes, certificates: makeCertificates() },
  };
  const measured: Measured[] = [];
  for (const one of planOf(only))
    measured.push(...(await measureCase(one, { runs, handshakes, window }, around, (text) => process.stderr.write(`${text}\n`))));
  return measured;
}
