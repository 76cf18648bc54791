/**
 * `npm run test:interop`: our gateway and client against real IKEv2 peers, strongSwan and libreswan. Needs root and Linux.
 *
 *     npm run test:interop -- [--jobs N] [--keep] [--record FOLDER] [WORD …]
 *
 * With words, only scenarios whose folder contains one of them. Here roots and tools are prepared; the scenarios run in namespaces
 * that take all processes, mounts and networks with them when they end, however they end.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Order } from './inside.ts';
import { peersInWords, prepareRoots } from './lab/roots.ts';
import { findScenarios, rootsOf } from './lab/runner.ts';
import { ESP_SHIM, prepareShim, shimFile } from './lab/shim.ts';
import { installTools, PATH, TOOLS } from './lab/tools.ts';

const EXIT_FAILED = 1;
const EXIT_KILLED = 143;
const INSIDE = join(import.meta.dirname, 'inside.ts');
const NAMESPACES = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { jobs: { type: 'string', default: '4' }, keep: { type: 'boolean', default: false }, record: { type: 'string' } },
});

if (process.platform !== 'linux' || process.getuid?.() !== 0) {
  process.stderr.write('the interop tests need Linux and root, for network namespaces; run them with sudo or in a container\n');
  process.exit(EXIT_FAILED);
}

const jobs = Number(values.jobs);
if (!Number.isInteger(jobs) || jobs < 1 || jobs > 16) {
  process.stderr.write(`--jobs: not a whole number from 1 to 16: "${values.jobs}"\n`);
  process.exit(EXIT_FAILED);
}

const began = performance.now();
const folder = mkdtempSync(join(tmpdir(), 'rekindle-interop-'));
try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = EXIT_FAILED;
} finally {
  // What passed has removed its files; what failed is kept to be looked at, what was interrupted is not.
  const keep = process.exitCode === EXIT_FAILED || values.keep;
  if (!keep || (existsSync(folder) && readdirSync(folder).length === 0)) rmSync(folder, { recursive: true, force: true });
}

async function main(): Promise<number> {
  const names = findScenarios(positionals);
  if (names.length === 0) throw new Error(`no scenario has one of these words in its name: ${positionals.join(', ')}`);
  installTools(TOOLS, !existsSync(shimFile(ESP_SHIM)));
  const roots = await prepareRoots(await rootsOf(names));
  const shim = prepareShim(ESP_SHIM);
  process.stdout.write(`${peersInWords(roots).join(', ')}; prepared in ${((performance.now() - began) / 1_000).toFixed(1)} s\n`);
  const run: Order = {
    roots: [...roots],
    shim,
    folder,
    jobs,
    keep: values.keep,
    record: values.record === undefined ? null : resolve(values.record),
    names,
  };
  const argv = [...NAMESPACES, process.execPath, INSIDE, JSON.stringify(run)];
  const inside = spawn('unshare', argv, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'], env: { ...process.env, PATH } });
  // From a terminal it has got the signal too and ends in good order; `unshare` itself passes none on, but takes everything along.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => inside.kill('SIGKILL'));
  const [status] = await once(inside, 'exit');
  return status ?? EXIT_KILLED;
}
