/** Faults of a value against a structural schema: types, bounds, unknown fields, lists, and the validation rules. */
import { isMapping } from './defaults.ts';
import { rules } from './rules.ts';
import type { Rule, Schema } from './schema.ts';
import { parseTime } from './time.ts';

/** `path` is like `spec.pools[0].cidr`. */
export interface Problem {
  readonly file: string;
  readonly path: string;
  readonly message: string;
  readonly remedy: string;
}

/** Where in a manifest we are, and every problem found so far in all of it. */
export class Site {
  readonly file: string;
  readonly path: string;
  readonly problems: Problem[];

  constructor(file: string, path = '', problems: Problem[] = []) {
    this.file = file;
    this.path = path;
    this.problems = problems;
  }

  at(step: string | number): Site {
    return new Site(this.file, join(this.path, step), this.problems);
  }

  refuse(message: string, remedy: string): undefined {
    this.problems.push({ file: this.file, path: this.path, message, remedy });
  }
}

/** `old` is the value that it replaces, if any. Rules are asked only where everything else is in order, as the API server does. */
export function checkValue(schema: Schema, value: unknown, old: unknown, site: Site): undefined {
  const before = site.problems.length;
  checkStructure(schema, value, old, site);
  if (site.problems.length > before) return;
  for (const rule of schema['x-kubernetes-validations'] ?? []) checkRule(rule, value, old, site);
}

function checkStructure(schema: Schema, value: unknown, old: unknown, site: Site): undefined {
  if (schema['x-kubernetes-int-or-string']) return checkQuantity(value, site);
  switch (schema.type) {
    case 'string':
      return checkString(schema, value, site);
    case 'integer':
      return checkInteger(schema, value, site);
    case 'boolean':
      return typeof value === 'boolean' ? undefined : site.refuse(`not true or false: ${shown(value)}`, 'write true or false');
    case 'array':
      return checkArray(schema, value, old, site);
    default:
      return checkObject(schema, value, old, site);
  }
}

function checkQuantity(value: unknown, site: Site): undefined {
  const fits = typeof value === 'string' || (typeof value === 'number' && Number.isInteger(value));
  if (!fits) site.refuse(`not a quantity: ${shown(value)}`, 'write for instance 500m, 2 or 256Mi');
}

function checkString(schema: Schema, value: unknown, site: Site): undefined {
  if (typeof value !== 'string') return site.refuse(`not a text: ${shown(value)}`, 'write it in quotes');
  const { enum: words, pattern, format, minLength = 0, maxLength = Infinity } = schema;
  if (words && !words.includes(value)) {
    return site.refuse(`not one of ${words.join(', ')}: ${shown(value)}`, `write one of ${words.join(', ')}`);
  }
  if ([...value].length < minLength) return site.refuse(value === '' ? 'empty' : `too short: ${shown(value)}`, form(schema));
  if ([...value].length > maxLength) return site.refuse(`longer than ${maxLength} characters`, 'shorten it');
  if (format === 'date-time' && parseTime(value) === undefined) return site.refuse(`not a time: ${shown(value)}`, form(schema));
  if (pattern && !new RegExp(pattern).test(value)) return site.refuse(`not of the right form: ${shown(value)}`, form(schema));
}

/** How a text is written; a schema says it by its format or pattern. */
function form({ format, pattern, minLength }: Schema): string {
  if (format === 'date-time') return 'write for instance 2026-01-31T12:00:00Z';
  if (pattern?.includes('h)?')) return 'write hours, minutes and seconds in whole numbers, for instance 30s, 15m or 1h30m';
  if (pattern) return `write it as the pattern ${pattern} says`;
  return `write at least ${minLength === 1 ? 'one character' : `${minLength} characters`}`;
}

function checkInteger({ minimum = -Infinity, maximum = Infinity }: Schema, value: unknown, site: Site): undefined {
  if (typeof value !== 'number' || !Number.isInteger(value)) {
    return site.refuse(`not a whole number: ${shown(value)}`, 'write digits without quotes');
  }
  if (value < minimum) return site.refuse(`below ${minimum}: ${value}`, `write at least ${minimum}`);
  if (value > maximum) return site.refuse(`above ${maximum}: ${value}`, `write at most ${maximum}`);
}

function checkArray(schema: Schema, value: unknown, old: unknown, site: Site): undefined {
  if (!Array.isArray(value)) return site.refuse(`not a list: ${shown(value)}`, 'write one item per line, each after "- "');
  const { minItems = 0, maxItems = Infinity, items = {} } = schema;
  if (value.length < minItems) return site.refuse(`${value.length} items`, `list at least ${minItems}`);
  if (value.length > maxItems) return site.refuse(`${value.length} items`, `list at most ${maxItems}`);
  const keys = value.map((item) => keyOf(schema, item));
  const olds = new Map(Array.isArray(old) ? old.map((item) => [keyOf(schema, item), item]) : []);
  value.forEach((item, index) => {
    if (keys[index] !== undefined && keys.indexOf(keys[index]) < index)
      site.at(index).refuse('listed twice', 'remove one of them');
    checkValue(items, item, olds.get(keys[index]), site.at(index));
  });
}

/** What makes an item one of a kind in its list; undefined where nothing does. */
function keyOf(schema: Schema, item: unknown): string | undefined {
  switch (schema['x-kubernetes-list-type']) {
    case 'set':
      return JSON.stringify(item);
    case 'map':
      return isMapping(item) ? JSON.stringify(schema['x-kubernetes-list-map-keys']?.map((key) => item[key])) : undefined;
    default:
      return undefined;
  }
}

function checkObject(schema: Schema, value: unknown, old: unknown, site: Site): undefined {
  if (!isMapping(value)) return site.refuse(`not a mapping: ${shown(value)}`, 'write its fields below it');
  const { minProperties = 0, maxProperties = Infinity } = schema;
  const names = Object.keys(value).filter((name) => value[name] !== undefined);
  const known = Object.keys(schema.properties ?? {});
  for (const name of schema.required ?? []) {
    if (value[name] === undefined) site.at(name).refuse('missing', 'add this field');
  }
  for (const name of names) checkMember(schema, name, value[name], isMapping(old) ? old[name] : undefined, site.at(name));
  if (names.length < minProperties) site.refuse('empty', `add one of the fields ${known.join(', ')}`);
  if (names.length > maxProperties) site.refuse(`${names.length} fields`, `keep at most ${maxProperties}`);
}

function checkMember(schema: Schema, name: string, value: unknown, old: unknown, site: Site): undefined {
  if (site.path === 'metadata') return; // has its own rules
  const member = schema.properties?.[name] ?? schema.additionalProperties;
  if (member) return checkValue(member, value, old, site);
  if (schema['x-kubernetes-preserve-unknown-fields']) return;
  const known = Object.keys(schema.properties ?? {});
  site.refuse(
    'unknown field',
    known.length > 0 ? `remove it; the fields here are ${known.join(', ')}` : 'remove it; there are no fields here',
  );
}

function checkRule({ message, fieldPath }: Rule, value: unknown, old: unknown, site: Site): undefined {
  const predicate = rules[message];
  if (!predicate) throw new Error(`no predicate for the rule "${message}"`);
  if (predicate(value, old)) return;
  const [fault = message, ...remedy] = message.split('; ');
  const place = (fieldPath ?? '').split('.').reduce((at, step) => (step === '' ? at : at.at(step)), site);
  place.refuse(typeof value === 'string' ? `${fault}: ${shown(value)}` : fault, remedy.join('; '));
}

/** For messages: short and on one line. */
function shown(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (typeof value === 'object') return Array.isArray(value) ? 'a list' : 'a mapping';
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function join(path: string, step: string | number): string {
  if (typeof step === 'number') return `${path}[${step}]`;
  if (!/^[A-Za-z_][\w-]*$/.test(step)) return `${path}[${JSON.stringify(step)}]`;
  return path === '' ? step : `${path}.${step}`;
}
