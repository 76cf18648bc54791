/** The state directory: one file per object, written whole or not at all, readable by its owner only. */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMapping, type Json } from './field-ownership.ts';

const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;

export function makePrivateDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: DIRECTORY_MODE });
  chmodSync(path, DIRECTORY_MODE);
}

/** Through a new file, so that a crash leaves the old one or the new one. */
export function writeWhole(path: string, text: string | Uint8Array, mode = FILE_MODE): void {
  const next = `${path}.new`;
  rmSync(next, { force: true });
  writeFileSync(next, text, { mode, flush: true });
  renameSync(next, path);
}

export class Disk {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
    makePrivateDirectory(directory);
  }

  /** Every object that was saved. Throws with the file's name if one is damaged. */
  load(): readonly Json[] {
    const names = readdirSync(this.#directory).filter((name) => name.endsWith('.json'));
    return names.sort().map((name) => readJson(join(this.#directory, name)));
  }

  save(kind: string, namespace: string, name: string, value: Json): void {
    writeWhole(this.#file(kind, namespace, name), `${JSON.stringify(value, undefined, 2)}\n`);
  }

  remove(kind: string, namespace: string, name: string): void {
    rmSync(this.#file(kind, namespace, name), { force: true });
  }

  /** `_` can be in none of the three. */
  #file(kind: string, namespace: string, name: string): string {
    return join(this.#directory, `${kind}_${namespace}_${name}.json`);
  }
}

/** undefined where there is no file; throws with the file's name, and nothing of its content, when it is damaged. */
export function readJsonIfThere(path: string): Json {
  return existsSync(path) ? readJson(path) : undefined;
}

function readJson(path: string): Json {
  try {
    const value: Json = JSON.parse(readFileSync(path, 'utf8'));
    if (isMapping(value)) return value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new Error(`${path}: damaged; remove the file, or the whole state directory to begin anew`);
}
