/** The programs of the system that the lab needs; what is missing is installed from Debian packages. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Command → the package that has it. */
export const TOOLS: Readonly<Record<string, string>> = {
  mmdebstrap: 'mmdebstrap',
  ip: 'iproute2',
  ping: 'iputils-ping',
  tcpdump: 'tcpdump',
  openssl: 'openssl',
  unshare: 'util-linux',
  nsenter: 'util-linux',
};
/** What mmdebstrap verifies the archive with; it is there on every Debian, not on what came of it. */
const KEYRING = { file: '/usr/share/keyrings/debian-archive-keyring.gpg', name: 'debian-archive-keyring' } as const;
const INSTALL_LIMIT_MS = 180_000;

/** `tools`: as TOOLS is; `compiler`: a C library with headers comes with it. @throws Error that names what is missing and what to do. */
export function installTools(tools: Readonly<Record<string, string>>, compiler: boolean): void {
  const missing = Object.keys(tools).filter((command) => !has(command));
  const packages = new Set(missing.flatMap((command) => tools[command] ?? []));
  if (compiler && !has('gcc')) for (const name of ['gcc', 'libc6-dev']) packages.add(name);
  if (!existsSync(KEYRING.file) && !existsSync(KEYRING.file.replace(/gpg$/, 'pgp'))) packages.add(KEYRING.name);
  if (packages.size === 0) return;
  const wanted = [...packages];
  if (!has('apt-get')) throw new Error(`missing: ${wanted.join(', ')}; install these packages, there is no apt-get to do it`);
  apt('update', '-q');
  apt('install', '-y', '-q', '--no-install-recommends', ...wanted);
}

function apt(...args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync('apt-get', args, {
    encoding: 'utf8',
    timeout: INSTALL_LIMIT_MS,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (status !== 0) throw new Error(`apt-get ${args.join(' ')} failed:\n${stdout}${stderr}`);
}

/** Programs of the system's administrator are not in everybody's path. */
export const PATH = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'].join(delimiter);

function has(command: string): boolean {
  return PATH.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
