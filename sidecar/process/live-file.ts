/** A file, or directories of files, that are loaded at start and whenever it changes. A bad one is refused whole, and what was loaded before stays in force. */
import { createHash } from 'node:crypto';
import type { Parsed, Problem } from '../contract/problem.ts';
import { watchDirectory } from './directory-watch.ts';
import type { Snapshot } from './snapshot.ts';

export interface LiveFileOptions<T> {
  /** Stands for it in problems that belong to none of its files. */
  readonly name: string;
  /** Where its entries appear and change. */
  readonly directories: readonly string[];
  readonly read: () => Promise<Snapshot>;
  readonly parse: (files: NonNullable<Snapshot>) => Parsed<T>;
  /** It is in force from now on. */
  readonly loaded: (value: T) => void;
  /** Called once for each state that is refused. */
  readonly refused: (problems: readonly Problem[]) => void;
  /** It is not there, or no more. */
  readonly missing: () => void;
}

export class LiveFile<T> {
  readonly #options: LiveFileOptions<T>;
  readonly #close: () => void;
  #seen: string | undefined;
  #value: T | undefined;
  #problems: readonly Problem[] = [];
  #looking: Promise<void> | undefined;
  #again = false;

  constructor(options: LiveFileOptions<T>) {
    this.#options = options;
    const watches = options.directories.map((directory) => watchDirectory(directory, () => void this.look()));
    this.#close = () => {
      for (const watch of watches) watch.close();
    };
  }

  /** What is in force; undefined before the first good one. */
  get value(): T | undefined {
    return this.#value;
  }

  /** What is wrong with the present content; empty when that is in force. */
  get problems(): readonly Problem[] {
    return this.#problems;
  }

  /** Looks whether it has changed; done when the present content is in force or refused. */
  look(): Promise<void> {
    this.#again = true;
    this.#looking ??= this.#lookUntilSettled().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  close(): void {
    this.#close();
  }

  async #lookUntilSettled(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      await this.#lookOnce();
    }
  }

  async #lookOnce(): Promise<void> {
    const found = await this.#options.read().catch((error: unknown) => unreadable(error));
    const seen = digest(found);
    if (seen === this.#seen) return;
    this.#seen = seen;
    if (!found) this.#miss();
    else this.#take(found instanceof Unreadable ? this.#unreadable(found) : this.#options.parse(found));
  }

  #take(parsed: Parsed<T>): void {
    this.#problems = parsed.ok ? [] : parsed.problems;
    if (!parsed.ok) {
      this.#options.refused(parsed.problems);
      return;
    }
    this.#value = parsed.value;
    this.#options.loaded(parsed.value);
  }

  #miss(): void {
    const { name, directories, missing } = this.#options;
    this.#problems = [
      {
        file: name,
        path: '',
        message: 'not there',
        remedy: `it is looked for in ${directories.join(', ')} and loaded when it comes`,
      },
    ];
    missing();
  }

  #unreadable({ code }: Unreadable): Parsed<T> {
    const remedy = 'give this process the right to read it';
    return { ok: false, problems: [{ file: this.#options.name, path: '', message: `cannot be read: ${code}`, remedy }] };
  }
}

class Unreadable {
  readonly code: string;
  constructor(code: string) {
    this.code = code;
  }
}

const unreadable = (error: unknown): Unreadable =>
  new Unreadable(error instanceof Error ? ('code' in error ? String(error.code) : error.message) : String(error));

/** Tells contents apart without keeping them. */
function digest(found: Snapshot | Unreadable): string {
  if (found instanceof Unreadable) return found.code;
  const hash = createHash('sha256').update(JSON.stringify(found?.map(({ file, bytes }) => [file, bytes.length]) ?? null));
  for (const { bytes } of found ?? []) hash.update(bytes);
  return hash.digest('hex');
}
