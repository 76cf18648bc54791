/**
 * `npm run bench:dataplane`: bulk transfers through our user-space ESP and through strongSwan's (kernel-libipsec), side by side. Needs root and Linux.
 *
 *     npm run bench:dataplane -- [--runs N] [--seconds N] [--only NAME …]
 *
 * NAME: rekindle, strongswan, primitives, children, kernel. Here roots and tools are prepared; the rest runs in namespaces that take all with them when they
 * end, and what needs a kernel with ESP (kernel) in user-mode Linux.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { peerVersions, prepareRoots } from '../../interop/lab/roots.ts';
import { installTools, PATH, TOOLS } from '../../interop/lab/tools.ts';
import type { Order } from './inside.ts';
import { reportKernel } from './kernel.ts';

const EXIT_FAILED = 1;
const EXIT_KILLED = 143;
const INSIDE = join(import.meta.dirname, 'inside.ts');
const NAMESPACES = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
const KERNEL = 'kernel';
const NAMES = ['rekindle', 'strongswan', 'primitives', 'children', KERNEL];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    only: { type: 'string', multiple: true, default: [] },
  },
});

const folder = mkdtempSync(join(tmpdir(), 'rekindle-bench-dataplane-'));
try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = EXIT_FAILED;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function main(): Promise<number> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    throw new Error(
      'this bench needs Linux and root, for network namespaces and TUN devices; run it with sudo or in a container',
    );
  const [runs, seconds, only] = [whole('runs', values.runs, 50), whole('seconds', values.seconds, 60), chosen()];
  installTools(TOOLS, false);
  const status = only.every((name) => name === KERNEL) ? 0 : await besideStrongSwan(runs, seconds, only);
  if (status === 0 && only.includes(KERNEL)) process.stdout.write(await reportKernel());
  return status;
}

async function besideStrongSwan(runs: number, seconds: number, only: readonly string[]): Promise<number> {
  const roots = await prepareRoots(new Set(only.includes('strongswan') ? (['strongswan'] as const) : []));
  const order: Order = { runs, seconds, only, roots: [...roots], versions: peerVersions(roots), folder };
  const argv = [...NAMESPACES, process.execPath, INSIDE, JSON.stringify(order)];
  const inside = spawn('unshare', argv, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'], env: { ...process.env, PATH } });
  // From a terminal it has got the signal too and ends in good order; `unshare` itself passes none on, but takes everything along.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => inside.kill('SIGKILL'));
  const [status] = await once(inside, 'exit');
  return status ?? EXIT_KILLED;
}

function chosen(): readonly string[] {
  // `--only rekindle strongswan` and `--only rekindle --only strongswan` are the same.
  const only = [...values.only, ...positionals];
  const unknown = only.find((name) => !NAMES.includes(name));
  if (unknown !== undefined) throw new Error(`--only: not one of ${NAMES.join(', ')}: "${unknown}"`);
  return only.length > 0 ? only : NAMES;
}

function whole(name: string, text: string, most: number): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= most) return number;
  throw new Error(`--${name}: not a whole number from 1 to ${most}: "${text}"`);
}
