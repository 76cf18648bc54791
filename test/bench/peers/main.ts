/**
 * `npm run bench:peers`: the same load against our gateway, strongSwan and libreswan, each alone on a core. Needs root and Linux.
 *
 *     npm run bench:peers -- [--runs N] [--handshakes N] [--window N] [--only NAME …]
 *
 * NAME is a case (psk, certificate, resumption, psk-childless, certificate-childless) or a peer (strongswan, libreswan). Here roots and
 * tools are prepared; the rest runs in namespaces that take all processes, mounts and networks with them when they end.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { peerVersions, prepareRoots } from '../../interop/lab/roots.ts';
import { ESP_SHIM, prepareShim, shimFile } from '../../interop/lab/shim.ts';
import { installTools, PATH, TOOLS } from '../../interop/lab/tools.ts';
import type { Order } from './inside.ts';
import { planOf } from './plan.ts';

const EXIT_FAILED = 1;
const EXIT_KILLED = 143;
const INSIDE = join(import.meta.dirname, 'inside.ts');
const NAMESPACES = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '5' },
    handshakes: { type: 'string', default: '1000' },
    window: { type: 'string', default: '64' },
    only: { type: 'string', multiple: true, default: [] },
  },
});
/** `--only psk resumption` and `--only psk --only resumption` are the same. */
const only = [...values.only, ...positionals];

const folder = mkdtempSync(join(tmpdir(), 'rekindle-bench-peers-'));
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
    throw new Error('this bench needs Linux and root, for network namespaces; run it with sudo or in a container');
  const amount = {
    runs: whole('runs', values.runs, 100),
    handshakes: whole('handshakes', values.handshakes, 100_000),
    window: whole('window', values.window, 1_000),
  };
  planOf(only);
  installTools(TOOLS, !existsSync(shimFile(ESP_SHIM)));
  const roots = await prepareRoots(new Set(['strongswan', 'libreswan']));
  const order: Order = {
    ...{ ...amount, roots: [...roots], versions: peerVersions(roots), shim: prepareShim(ESP_SHIM), folder, only },
  };
  const argv = [...NAMESPACES, process.execPath, INSIDE, JSON.stringify(order)];
  const inside = spawn('unshare', argv, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'], env: { ...process.env, PATH } });
  // From a terminal it has got the signal too and ends in good order; `unshare` itself passes none on, but takes everything along.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => inside.kill('SIGKILL'));
  const [status] = await once(inside, 'exit');
  return status ?? EXIT_KILLED;
}

function whole(name: string, text: string, most: number): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= most) return number;
  throw new Error(`--${name}: not a whole number from 1 to ${most}: "${text}"`);
}
