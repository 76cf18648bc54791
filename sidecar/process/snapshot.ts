/** A file, or all files of directories that count, as they are at one moment. */
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';

export interface SnapshotFile {
  /** Its name; below a folder when there are several. */
  readonly file: string;
  readonly bytes: Uint8Array;
  /** Of the bytes, as UTF-8. */
  readonly text: string;
}

/** Undefined: not there. */
export type Snapshot = readonly SnapshotFile[] | undefined;

/** Files of it may be called `folder/file`. */
export interface Folder {
  readonly path: string;
  /** Undefined: they are called as they are. */
  readonly name: string | undefined;
}

/** A Secret holds 1 MiB; what is longer is none of ours. */
const LONGEST_BYTES = 4 * 1024 * 1024;

/** @throws Error when it is there but cannot be read. */
export const readOne = (path: string) => (): Promise<Snapshot> => unlessMissing(async () => [await read(path, basename(path))]);

/** Undefined as soon as one folder has no file that counts: a Secret that does not exist is an empty folder to a pod. */
export const readAll = (folders: readonly Folder[], counts: (file: string) => boolean) => async (): Promise<Snapshot> => {
  const all = await Promise.all(folders.map((folder) => unlessMissing(() => readFolder(folder, counts))));
  return all.every((files) => files !== undefined && files.length > 0) ? all.flatMap((files) => files ?? []) : undefined;
};

/** The kubelet replaces all files at once by turning the link `..data` to another directory; reading through its target cannot see half of both. */
async function readFolder({ path, name }: Folder, counts: (file: string) => boolean): Promise<readonly SnapshotFile[]> {
  const whole = (await unlessMissing(() => realpath(join(path, '..data')))) ?? path;
  const files = (await readdir(whole)).filter((file) => !file.startsWith('.') && counts(file)).sort();
  return Promise.all(files.map((file) => read(join(whole, file), name === undefined ? file : `${name}/${file}`)));
}

async function read(path: string, file: string): Promise<SnapshotFile> {
  if ((await stat(path)).size > LONGEST_BYTES) throw new Error(`${path}: longer than ${LONGEST_BYTES} bytes`);
  const bytes = await readFile(path);
  return { file, bytes: new Uint8Array(bytes), text: bytes.toString('utf8') };
}

async function unlessMissing<T>(doing: () => Promise<T>): Promise<T | undefined> {
  try {
    return await doing();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
