/** Shapes of configuration: one value that reads what a file holds, reports every problem with its path and remedy, and writes it back. */

import { kind, type Parsed, Place, quote, REFUSED, type Refused } from './problem.ts';

/** `write` answers what `read` takes back to the same value: strings, numbers, booleans, lists and records. */
export interface Shape<T> {
  /** REFUSED after at least one problem was reported at `place`. */
  read(value: unknown, place: Place): T | Refused;
  write(value: T): unknown;
}

/** The value whole, or every problem in it. */
export function readWhole<T>(shape: Shape<T>, value: unknown, place: Place): Parsed<T> {
  const read = shape.read(value, place);
  return read === REFUSED || place.problems.length > 0 ? { ok: false, problems: place.problems } : { ok: true, value: read };
}

/** A field of a record: its shape, the name it has in the file when that differs, and what it is when the file leaves it out. */
export interface Field<T> {
  readonly shape: Shape<T>;
  readonly name: string | undefined;
  readonly missing: { readonly value: T } | undefined;
}

export const required = <T>(shape: Shape<T>, name?: string): Field<T> => ({ shape, name, missing: undefined });
export const optional = <T>(shape: Shape<T>, value: T, name?: string): Field<T> => ({ shape, name, missing: { value } });

/** May be left out, and is not written when undefined. */
export const maybe = <T>(shape: Shape<T>, name?: string): Field<T | undefined> => ({
  shape: { read: shape.read, write: (value) => (value === undefined ? undefined : shape.write(value)) },
  name,
  missing: { value: undefined },
});

/** A record that may be left out, because each of its fields may. */
export function sparse<T>(shape: Shape<T>): Field<T> {
  const value = shape.read({}, new Place('defaults'));
  if (value === REFUSED) throw new Error('a field of this record has no default');
  return optional(shape, value);
}

type Fields<T> = { readonly [K in keyof T]-?: Field<T[K]> };

/** A mapping with exactly these fields, or with at least these when unknown ones are ignored. */
export function record<T extends object>(fields: Fields<T>, unknown: 'refused' | 'ignored' = 'refused'): Shape<T> {
  const list: readonly (Field<unknown> & { readonly key: string; readonly name: string })[] = Object.entries<Field<unknown>>(
    fields as Record<string, Field<unknown>>,
  ).map(([key, field]) => ({
    ...field,
    key,
    name: field.name ?? key,
  }));
  const names = list.map((field) => field.name);
  return {
    read(value, place) {
      if (!isMapping(value))
        return place.refuse(`not a mapping: ${kind(value)}`, `write the fields ${names.join(', ')} below it`);
      for (const name of Object.keys(value)) {
        if (unknown === 'refused' && !names.includes(name))
          place.at(name).refuse('unknown field', `remove it; the fields here are ${names.join(', ')}`);
      }
      const read = list.map((field) => [field.key, readField(field, value, place)] as const);
      return read.some(([, part]) => part === REFUSED) ? REFUSED : (Object.fromEntries(read) as T);
    },
    write(value) {
      const written = list.map((field) => [field.name, field.shape.write(value[field.key as keyof T])] as const);
      return Object.fromEntries(written.filter(([, part]) => part !== undefined));
    },
  };
}

function readField(
  { shape, name, missing }: Field<unknown> & { readonly name: string },
  mapping: Readonly<Record<string, unknown>>,
  place: Place,
): unknown {
  if (Object.hasOwn(mapping, name)) return shape.read(mapping[name], place.at(name));
  return missing ? missing.value : place.at(name).refuse('missing', 'add this field');
}

export const list = <T>(item: Shape<T>, { min = 0, max = 1024 } = {}): Shape<readonly T[]> => ({
  read(value, place) {
    if (!Array.isArray(value)) return place.refuse(`not a list: ${kind(value)}`, 'write one item per line, each after "- "');
    if (value.length < min) return place.refuse(`${value.length} items`, `list at least ${min}`);
    if (value.length > max) return place.refuse(`${value.length} items`, `list at most ${max}`);
    const read = value.map((part: unknown, index) => item.read(part, place.at(index)));
    const good: readonly T[] = read.flatMap((part) => (part === REFUSED ? [] : [part]));
    return good.length === read.length ? good : REFUSED;
  },
  write: (value) => value.map((part) => item.write(part)),
});

/** Further conditions on a value of the right shape; `check` reports what is wrong at the place it is given. */
export const checked = <T>(shape: Shape<T>, check: (value: T, place: Place) => void): Shape<T> => ({
  read(value, place) {
    const read = shape.read(value, place);
    if (read === REFUSED) return REFUSED;
    const before = place.problems.length;
    check(read, place);
    return place.problems.length > before ? REFUSED : read;
  },
  write: shape.write,
});

export const boolean: Shape<boolean> = {
  read: (value, place) =>
    typeof value === 'boolean' ? value : place.refuse(`not true or false: ${quote(value)}`, 'write true or false'),
  write: (value) => value,
};

export const number = (min: number, max: number): Shape<number> => ({
  read: (value, place) =>
    typeof value === 'number' && value >= min && value <= max
      ? value
      : place.refuse(`not a number between ${min} and ${max}: ${quote(value)}`, `write a number between ${min} and ${max}`),
  write: (value) => value,
});

export const integer = (min: number, max: number): Shape<number> => ({
  read: (value, place) =>
    typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max
      ? value
      : place.refuse(`not a whole number between ${min} and ${max}: ${quote(value)}`, `write digits without quotes`),
  write: (value) => value,
});

export const oneOf = <const T extends string>(...words: readonly T[]): Shape<T> =>
  spelled({
    what: `one of ${words.join(', ')}`,
    remedy: `write one of ${words.join(', ')}`,
    parse: (text) => words.find((word) => word === text),
    format: (word) => word,
  });

export const text = (what: string, pattern: RegExp, remedy: string): Shape<string> =>
  spelled({ what, remedy, parse: (given) => (pattern.test(given) ? given : undefined), format: (given) => given });

export interface Spelling<T> {
  /** Completes "not …". */
  readonly what: string;
  readonly remedy: string;
  parse(text: string): T | undefined;
  format(value: T): string;
  /** Never repeated in a problem. */
  readonly secret?: boolean;
}

/** A value that is written as one word or line of text. */
export function spelled<T>({ what, remedy, parse, format, secret = false }: Spelling<T>): Shape<T> {
  return {
    read(value, place) {
      if (typeof value !== 'string') return place.refuse(`not a text: ${kind(value)}`, `${remedy}, in quotes`);
      const read = parse(value);
      return read === undefined ? place.refuse(secret ? `not ${what}` : `not ${what}: ${quote(value)}`, remedy) : read;
    },
    write: format,
  };
}

export const isMapping = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
