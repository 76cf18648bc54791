/** Kernel modules for user-mode Linux: those of its package, with an nftables that has tables; built once, kept in the user's cache. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { cacheFolder } from '../../interop/lab/roots.ts';
import { installTools, PATH } from '../../interop/lab/tools.ts';

const SCRIPT = join(import.meta.dirname, 'nftables-modules.sh');
const TOOLS: Readonly<Record<string, string>> = {
  make: 'make',
  flex: 'flex',
  bison: 'bison',
  bc: 'bc',
  xz: 'xz-utils',
  depmod: 'kmod',
};
/** 140 MB of source to fetch, half a minute to compile. */
const LIMIT_MS = 600_000;

/** `packaged`: the modules of the package, a folder that is named after the release. Answers another such folder. @throws Error */
export function prepareModules(packaged: string): string {
  const version = sourceVersion();
  const digest = createHash('sha256').update(readFileSync(SCRIPT)).update(version).digest('hex').slice(0, 12);
  const target = join(cacheFolder(), `uml-modules-${digest}`, basename(packaged));
  if (existsSync(target)) return target;
  installTools(TOOLS, true);
  mkdirSync(dirname(target), { recursive: true });
  try {
    execFileSync('bash', [SCRIPT, packaged, version, target], {
      env: { ...process.env, PATH },
      stdio: 'pipe',
      timeout: LIMIT_MS,
    });
  } catch (error) {
    const text = error instanceof Error && 'stderr' in error ? `\n${String(error.stderr).slice(-2000)}` : '';
    throw new Error(`cannot build nftables of linux ${version} for user-mode Linux:${text}`, { cause: error });
  }
  return target;
}

/** Of the package `linux` that the kernel was built from. */
function sourceVersion(): string {
  const built = execFileSync('dpkg-query', ['--status', 'user-mode-linux'], { encoding: 'utf8' });
  const [, version] = /^Built-Using:.*\blinux \(= ([^)]+)\)/m.exec(built) ?? [];
  if (version === undefined) throw new Error(`the package user-mode-linux does not say which linux it was built from`);
  return version;
}
