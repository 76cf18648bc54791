/** The text of a file, or of all YAML files of a directory, as it is at one moment. */
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';

/** Undefined: not there. */
export type Snapshot = readonly { readonly file: string; readonly text: string }[] | undefined;

/** A Secret holds 1 MiB; what is longer is none of ours. */
const LONGEST_BYTES = 4 * 1024 * 1024;

/** @throws Error when it is there but cannot be read. */
export const readOne = (path: string) => (): Promise<Snapshot> => unlessMissing(async () => [await read(path)]);

/** The kubelet replaces all files at once by turning the link `..data` to another directory; reading through its target cannot see half of both. */
export const readAll = (directory: string) => (): Promise<Snapshot> =>
  unlessMissing(async () => {
    const whole = (await unlessMissing(() => realpath(join(directory, '..data')))) ?? directory;
    const names = (await readdir(whole)).filter((name) => name.endsWith('.yaml') && !name.startsWith('.')).sort();
    return Promise.all(names.map((name) => read(join(whole, name))));
  });

async function read(path: string): Promise<{ file: string; text: string }> {
  if ((await stat(path)).size > LONGEST_BYTES) throw new Error(`${path}: longer than ${LONGEST_BYTES} bytes`);
  return { file: basename(path), text: await readFile(path, 'utf8') };
}

async function unlessMissing<T>(doing: () => Promise<T>): Promise<T | undefined> {
  try {
    return await doing();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
