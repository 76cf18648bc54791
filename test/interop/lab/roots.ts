/** Debian roots with one real IKEv2 peer each, unpacked and never booted; kept in the user's cache. */
import { execFile, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { PATH } from './tools.ts';

const DEBIAN = { version: '13', suite: 'trixie' };
const PACKAGES = {
  strongswan: [
    'charon-systemd',
    'strongswan-swanctl',
    'libcharon-extra-plugins',
    'libstrongswan-extra-plugins',
    'libstrongswan-standard-plugins',
  ],
  libreswan: ['libreswan', 'libnss3-tools', 'dash', 'mawk', 'sed', 'grep', 'procps', 'util-linux', 'hostname'],
} as const;
const BASE = ['bash', 'coreutils', 'iproute2'];
/** Places for mounts. */
const FOLDERS = ['proc', 'sys', 'dev', 'run', 'tmp', 'peer'];
const BUILD_LIMIT_MS = 240_000;
/** Says which packages a root was made of. A root without it, or with other packages, is made anew. */
const RECIPE = 'rekindle-recipe';

export type PeerName = keyof typeof PACKAGES;
export type Roots = Readonly<Record<PeerName, string>>;

export const cacheFolder = (): string => join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'rekindle');

/** Makes what is not in the cache. @throws Error that says what to do. */
export async function prepareRoots(): Promise<Roots> {
  const [strongswan, libreswan] = await Promise.all([prepareRoot('strongswan'), prepareRoot('libreswan')]);
  return { strongswan, libreswan };
}

/** Names and versions of the Debian packages, by their changelogs. */
export const peerVersions = ({ strongswan, libreswan }: Roots): readonly string[] => [
  newest(strongswan, 'strongswan-swanctl'),
  newest(libreswan, 'libreswan'),
];

function newest(root: string, name: string): string {
  const changelog = gunzipSync(readFileSync(join(root, 'usr/share/doc', name, 'changelog.Debian.gz'))).toString();
  const [, source = '', version = ''] = /^(\S+) \((\S+)\)/.exec(changelog) ?? [];
  return `${source} ${version}`;
}

async function prepareRoot(peer: PeerName): Promise<string> {
  const folder = join(cacheFolder(), `debian-${DEBIAN.version}`, peer);
  const packages = [...PACKAGES[peer], ...BASE].join(',');
  const recipe = join(folder, RECIPE);
  if (existsSync(recipe) && readFileSync(recipe, 'utf8') === packages) return folder;
  mkdirSync(dirname(folder), { recursive: true });
  removeAbandoned(folder);
  const building = mkdtempSync(`${folder}.`);
  try {
    await unpack(packages, building);
    writeFileSync(join(building, RECIPE), packages);
    rmSync(folder, { recursive: true, force: true });
    renameSync(building, folder);
  } finally {
    rmSync(building, { recursive: true, force: true });
  }
  return folder;
}

/** What interrupted runs left half unpacked. */
function removeAbandoned(folder: string): void {
  const parent = dirname(folder);
  for (const name of readdirSync(parent).filter((one) => one.startsWith(`${basename(folder)}.`))) {
    const path = join(parent, name);
    if (Date.now() - statSync(path).mtimeMs > 2 * BUILD_LIMIT_MS) rmSync(path, { recursive: true, force: true });
  }
}

async function unpack(packages: string, folder: string): Promise<void> {
  const args = ['--variant=extract', `--include=${packages}`, DEBIAN.suite, folder, debianMirror()];
  try {
    await promisify(execFile)('mmdebstrap', args, { timeout: BUILD_LIMIT_MS, env: { ...process.env, PATH }, maxBuffer: 2 ** 26 });
  } catch (error) {
    throw new Error(`could not make a Debian root of ${packages}: ${error instanceof Error ? error.message : error}`);
  }
  for (const name of FOLDERS) mkdirSync(join(folder, name), { recursive: true });
  // The alternatives of dpkg are not set up by unpacking.
  if (packages.includes('mawk')) symlinkSync('mawk', join(folder, 'usr/bin/awk'));
}

/** The archive that this machine's own packages come from. */
function debianMirror(): string {
  const given = process.env['REKINDLE_DEBIAN_MIRROR'];
  if (given) return given;
  const listed = spawnSync('apt-get', ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages'], { encoding: 'utf8' });
  const found = (listed.stdout ?? '').split('\n').find((uri) => /\/debian\/?$/.test(uri));
  if (found === undefined)
    throw new Error('apt names no mirror of Debian here; name one with REKINDLE_DEBIAN_MIRROR=http://…/debian');
  return found;
}
