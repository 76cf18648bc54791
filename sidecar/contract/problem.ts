/** What is wrong with a file, said so that whoever wrote it can mend it: where, what, and how. */

/** A fault that whoever wrote the file can mend. `path` is like `pools[0].cidr`, empty for the file as a whole. */
export interface Problem {
  readonly file: string;
  readonly path: string;
  readonly message: string;
  readonly remedy: string;
}

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problems: readonly Problem[] };

export const formatProblem = ({ file, path, message, remedy }: Problem): string =>
  [file, ...(path === '' ? [] : [path]), `${message}; ${remedy}`].join(': ');

export const REFUSED = Symbol('refused');
export type Refused = typeof REFUSED;

/** Where in a file we are, and the problems found so far in all of it. */
export class Place {
  readonly file: string;
  readonly path: string;
  readonly problems: Problem[];

  constructor(file: string, path = '', problems: Problem[] = []) {
    this.file = file;
    this.path = path;
    this.problems = problems;
  }

  at(step: string | number): Place {
    return new Place(this.file, join(this.path, step), this.problems);
  }

  refuse(message: string, remedy: string): Refused {
    this.problems.push({ file: this.file, path: this.path, message, remedy });
    return REFUSED;
  }
}

/** For messages: short, on one line, nothing unprintable. */
export function quote(value: unknown): string {
  const shown = typeof value === 'object' ? kind(value) : (JSON.stringify(value) ?? kind(value));
  return shown.length > 80 ? `${shown.slice(0, 80)}…` : shown;
}

/** What a value is, without saying what it holds. */
export function kind(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (value instanceof Uint8Array) return 'bytes';
  return typeof value === 'object' ? 'a mapping' : `a ${typeof value}`;
}

/** Names that need quotes are shown in brackets, so that a path can be read back. */
function join(path: string, step: string | number): string {
  if (typeof step === 'number') return `${path}[${step}]`;
  if (!/^[A-Za-z_][\w-]*$/.test(step)) return `${path}[${quote(step)}]`;
  return path === '' ? step : `${path}.${step}`;
}
