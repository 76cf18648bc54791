/**
 * Puts the files of a volume into place exactly as the kubelet does: a directory with a timestamp, a symlink `..data` to it that is swapped
 * by rename, and a symlink per name through `..data`. So a reader sees all files of one moment, never a mixture.
 */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { makePrivateDirectory } from './disk.ts';

/** By path in the volume; no path begins with `..` or is absolute. */
export type Files = ReadonlyMap<string, Uint8Array>;

const FILE_MODE = 0o600;

/** `stamp` names the new directory and must differ from that of the last call. Answers whether anything had to be changed. */
export function project(volume: string, files: Files, stamp: string): boolean {
  makePrivateDirectory(volume);
  const current = currentDirectory(volume);
  if (current && holds(join(volume, current), files)) return false;
  const fresh = `..${stamp}`;
  writeFiles(join(volume, fresh), files);
  swap(volume, fresh);
  linkNames(volume, new Set([...files.keys()].map(firstPart)));
  removeOldDirectories(volume, fresh);
  return true;
}

function currentDirectory(volume: string): string | undefined {
  const link = join(volume, '..data');
  return existsSync(link) ? readlinkSync(link) : undefined;
}

function holds(directory: string, files: Files): boolean {
  const there = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  if (there.length !== files.size) return false;
  return [...files].every(([path, bytes]) => {
    const file = join(directory, path);
    return existsSync(file) && readFileSync(file).equals(bytes);
  });
}

function writeFiles(directory: string, files: Files): void {
  makePrivateDirectory(directory);
  for (const [path, bytes] of files) {
    const file = join(directory, path);
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(file, bytes, { mode: FILE_MODE });
  }
}

function swap(volume: string, fresh: string): void {
  const next = join(volume, '..data_tmp');
  rmSync(next, { force: true });
  symlinkSync(fresh, next);
  renameSync(next, join(volume, '..data'));
}

function linkNames(volume: string, names: ReadonlySet<string>): void {
  for (const name of names) {
    const link = join(volume, name);
    if (!lstatSync(link, { throwIfNoEntry: false })) symlinkSync(join('..data', name), link);
  }
  for (const name of readdirSync(volume)) if (!name.startsWith('..') && !names.has(name)) unlinkSync(join(volume, name));
}

function removeOldDirectories(volume: string, fresh: string): void {
  for (const entry of readdirSync(volume, { withFileTypes: true })) {
    if (entry.isDirectory() && entry.name !== fresh) rmSync(join(volume, entry.name), { recursive: true, force: true });
  }
}

const firstPart = (path: string): string => path.split('/')[0] ?? path;
