/** The roots of the lab, with one real peer each; kept in the user's cache. */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type DebianRoot, debianVersion, MIRROR, UNPACK_LIMIT_MS, unpack } from './debian.ts';

const STRONGSWAN = [
  'strongswan-swanctl',
  'charon-systemd',
  'libcharon-extra-plugins',
  'libcharon-extauth-plugins',
  'libstrongswan-extra-plugins',
  'libstrongswan-standard-plugins',
] as const;
/** What is to be unpacked; the first package is the one whose version is told. Debian unstable moves on: whatever it has is taken, and said. */
const ROOTS = {
  strongswan: { suite: 'trixie', packages: STRONGSWAN },
  /** Has ML-KEM. */
  'strongswan-sid': { suite: 'sid', packages: STRONGSWAN },
  libreswan: {
    suite: 'trixie',
    packages: ['libreswan', 'libnss3-tools', 'dash', 'mawk', 'sed', 'grep', 'procps', 'util-linux', 'hostname'],
  },
  freeradius: { suite: 'trixie', packages: ['freeradius'] },
} as const satisfies Readonly<Record<string, DebianRoot>>;
/** What docs/interop.md was written with. */
const SEEN_WITH: Readonly<Record<RootName, string>> = {
  strongswan: 'strongswan 6.0.1-6+deb13u7',
  'strongswan-sid': 'strongswan 6.1.0-2',
  libreswan: 'libreswan 5.2-2.2',
  freeradius: 'freeradius 3.2.7+dfsg-1+deb13u2',
};
/** Has ML-KEM from here on. */
const STRONGSWAN_WITH_MLKEM = [6, 1] as const;
/** Written when a root is complete, touched when it is used. */
const READY = 'rekindle-ready';
/** Roots of other recipes may be in use by another working copy; after this long they are not. */
const UNUSED_MS = 7 * 24 * 3_600_000;

export type RootName = keyof typeof ROOTS;
/** Where those are that were prepared. */
export type Roots = ReadonlyMap<RootName, string>;

export const cacheFolder = (): string => join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'rekindle');

/** Makes what is not in the cache. @throws Error that says what to do. */
export async function prepareRoots(names: ReadonlySet<RootName>): Promise<Roots> {
  mkdirSync(rootsFolder(), { recursive: true });
  removeAbandoned();
  return new Map(await Promise.all([...names].map(async (name) => [name, await prepareRoot(name)] as const)));
}

/** Names and versions of the Debian packages. */
export const peerVersions = (roots: Roots): readonly string[] => [...roots].map(([name, folder]) => versionOf(name, folder));

/** The same, with what the tables of docs/interop.md were written with where that is another. */
export const peersInWords = (roots: Roots): readonly string[] =>
  [...roots].map(([name, folder]) => {
    const version = versionOf(name, folder);
    return version === SEEN_WITH[name] ? version : `${version} (docs/interop.md: ${SEEN_WITH[name]})`;
  });

const versionOf = (name: RootName, folder: string): string => debianVersion(folder, ROOTS[name].packages[0]);

const rootsFolder = (): string => join(cacheFolder(), 'roots');

/** Its name changes with its recipe. */
async function prepareRoot(name: RootName): Promise<string> {
  const recipe: DebianRoot = ROOTS[name];
  const digest = createHash('sha256').update(JSON.stringify(recipe)).digest('hex').slice(0, 12);
  const folder = join(rootsFolder(), `${name}-${digest}`);
  if (!existsSync(join(folder, READY))) await build(recipe, folder);
  if (name === 'strongswan-sid') demandMlkem(folder);
  utimesSync(join(folder, READY), new Date(), new Date());
  return folder;
}

function demandMlkem(folder: string): void {
  const version = versionOf('strongswan-sid', folder);
  const [, major, minor] = /^strongswan (\d+)\.(\d+)/.exec(version) ?? [];
  const [wantedMajor, wantedMinor] = STRONGSWAN_WITH_MLKEM;
  if (Number(major) > wantedMajor || (Number(major) === wantedMajor && Number(minor) >= wantedMinor)) return;
  throw new Error(
    `${version} of Debian sid has no ML-KEM, which strongSwan ${STRONGSWAN_WITH_MLKEM.join('.')} brought: the mirror is old; name another with ${MIRROR}=http://…/debian and remove ${folder}`,
  );
}

async function build(recipe: DebianRoot, folder: string): Promise<void> {
  const building = mkdtempSync(`${folder}.`);
  try {
    await unpack(recipe, building);
    writeFileSync(join(building, READY), '');
    rename(building, folder);
  } finally {
    rmSync(building, { recursive: true, force: true });
  }
}

/** Whoever was faster at the same recipe has made the same. */
function rename(building: string, folder: string): void {
  try {
    renameSync(building, folder);
  } catch (error) {
    if (!existsSync(join(folder, READY))) throw error;
  }
}

/** What interrupted runs left half unpacked, and roots of recipes of former times. */
function removeAbandoned(): void {
  for (const name of readdirSync(rootsFolder())) {
    const folder = join(rootsFolder(), name);
    const ready = join(folder, READY);
    const [since, limitMs] = existsSync(ready) ? [ready, UNUSED_MS] : [folder, 2 * UNPACK_LIMIT_MS];
    const touched = statSync(since, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    if (Date.now() - touched > limitMs) rmSync(folder, { recursive: true, force: true });
  }
}
