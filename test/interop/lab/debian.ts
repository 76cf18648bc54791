/** Debian roots that are unpacked and never booted, from the mirror that apt itself uses. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { PATH } from './tools.ts';

export interface DebianRoot {
  readonly suite: 'trixie' | 'sid';
  readonly packages: readonly string[];
}

export const MIRROR = 'REKINDLE_DEBIAN_MIRROR';
const BASE = ['bash', 'coreutils', 'iproute2'];
/** Places for mounts. */
const FOLDERS = ['proc', 'sys', 'dev', 'run', 'tmp', 'peer'];
export const UNPACK_LIMIT_MS = 240_000;

/** Into an empty folder. @throws Error that says what to do. */
export async function unpack({ suite, packages }: DebianRoot, folder: string): Promise<void> {
  const include = [...packages, ...BASE].join(',');
  // A mirror that lags behind says so for sid alone, and its packages are good all the same.
  const options = suite === 'sid' ? ['--aptopt=Acquire::Check-Valid-Until "false"'] : [];
  const args = ['--variant=extract', ...options, `--include=${include}`, suite, folder, debianMirror()];
  try {
    await promisify(execFile)('mmdebstrap', args, {
      timeout: UNPACK_LIMIT_MS,
      env: { ...process.env, PATH },
      maxBuffer: 2 ** 26,
    });
  } catch (error) {
    const why = error instanceof Error ? error.message : error;
    const remedy = `name a mirror that has ${suite} and these packages with ${MIRROR}=http://…/debian`;
    throw new Error(`could not make a root of Debian ${suite} with ${include} from ${args.at(-1)}: ${why}\n${remedy}`);
  }
  for (const name of FOLDERS) mkdirSync(join(folder, name), { recursive: true });
  // The alternatives of dpkg are not set up by unpacking.
  if (packages.includes('mawk')) symlinkSync('mawk', join(folder, 'usr/bin/awk'));
}

/** Source and version of a package of a root, by its changelog. */
export function debianVersion(root: string, name: string): string {
  const changelog = gunzipSync(readFileSync(join(root, 'usr/share/doc', name, 'changelog.Debian.gz'))).toString();
  const [, source = '', version = ''] = /^(\S+) \((\S+)\)/.exec(changelog) ?? [];
  return `${source} ${version}`;
}

/** The archive that this machine's own packages come from. */
function debianMirror(): string {
  const given = process.env[MIRROR];
  if (given) return given;
  const listed = spawnSync('apt-get', ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages'], { encoding: 'utf8' });
  const found = (listed.stdout ?? '').split('\n').find((uri) => /\/debian\/?$/.test(uri));
  if (found === undefined) throw new Error(`apt names no mirror of Debian here; name one with ${MIRROR}=http://…/debian`);
  return found;
}
