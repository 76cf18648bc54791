/** User-mode Linux: a kernel of Debian that has XFRM and ESP whatever the machine's own has, as a process. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { prepareShim, shimFile } from '../../interop/lab/shim.ts';
import { installTools, PATH, TOOLS } from '../../interop/lab/tools.ts';
import { prepareModules } from './nftables-modules.ts';

const PROJECT = resolve(import.meta.dirname, '../../..');
const INIT = join(import.meta.dirname, 'init.sh');
const SHIM = join(import.meta.dirname, 'xstate-shim.c');
const COMMAND = 'linux.uml';
/** Of the package; has one folder, of its release. */
const MODULES = '/usr/lib/uml/modules';
/** Of the kernel's memory, which is a file that is not on a disk. */
const MEMORY = { size: '1200M', folder: '/dev/shm' } as const;
const OWN_TOOLS: Readonly<Record<string, string>> = {
  [COMMAND]: 'user-mode-linux',
  modprobe: 'kmod',
  nft: 'nftables',
  setpriv: 'util-linux',
  perl: 'perl-base',
};

export interface UserModeLinux {
  readonly modules: string;
  readonly shim: string;
}

/** @throws Error that says what is missing. */
export function prepareUserModeLinux(): UserModeLinux {
  installTools({ ...TOOLS, ...OWN_TOOLS }, !existsSync(shimFile(SHIM)));
  const [release] = existsSync(MODULES) ? readdirSync(MODULES) : [];
  if (release === undefined) throw new Error(`${MODULES} has no modules: install Debian's package user-mode-linux again`);
  return { modules: prepareModules(join(MODULES, release)), shim: prepareShim(SHIM) };
}

export const releaseOf = ({ modules }: UserModeLinux): string => modules.split('/').at(-1) ?? '';

/** Runs `inside.ts` in a kernel of its own, with `folder` as /run/lab, until that ends or the time is over; nothing of it is left. */
export async function boot({ modules, shim }: UserModeLinux, folder: string, limitMs: number): Promise<void> {
  const environment = { PROJECT, NODE: process.execPath, FOLDER: folder, MODULES: modules };
  const kernel = [
    ...[`mem=${MEMORY.size}`, 'root=/dev/root', 'rootfstype=hostfs', 'rootflags=/', 'rw', `init=${INIT}`],
    ...['con=null', 'con0=null,fd:1', 'quiet', `uml_dir=${folder}/`, 'umid=uml', 'panic=-1'],
    ...Object.entries(environment).map(([name, value]) => `${name}="${value}"`),
  ];
  // Its processes are this machine's, too; in a namespace of their own they end with the first one, however that ends.
  const argv = ['--pid', '--fork', '--kill-child', 'env', `LD_PRELOAD=${shim}`, COMMAND, ...kernel];
  const env = { ...process.env, PATH, TMPDIR: MEMORY.folder };
  const child = spawn('unshare', argv, { stdio: ['ignore', 'pipe', 'pipe'], env });
  running.add(child);
  const console = createWriteStream(join(folder, 'console.log'));
  for (const stream of [child.stdout, child.stderr]) stream.pipe(console, { end: false });
  const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
  await once(child, 'close').finally(() => clearTimeout(timer));
  running.delete(child);
}

const running = new Set<ReturnType<typeof spawn>>();

/** Ends all that were booted. */
export function killAll(): void {
  for (const child of running) child.kill('SIGKILL');
}
