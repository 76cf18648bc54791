/** YAML text of the files between operator and gateway: read strictly, written so that people can read it, never quoted in an error. */
import { dump, load, YAMLException } from 'js-yaml';
import { type Parsed, Place } from './problem.ts';
import { readWhole, type Shape } from './schema.ts';

/** The mark that ends a YAML document. A file without it was cut off in the middle of a write. */
const END = '...';

export function parseYaml<T>(shape: Shape<T>, file: string, text: string): Parsed<T> {
  const place = new Place(file);
  const document = loadYaml(text, place);
  return document === undefined ? { ok: false, problems: place.problems } : readWhole(shape, document.value, place);
}

/** As parseYaml, for files that are refused without their last line. */
export function parseEndedYaml<T>(shape: Shape<T>, file: string, text: string): Parsed<T> {
  if (text.trimEnd().split('\n').at(-1)?.trimEnd() === END) return parseYaml(shape, file, text);
  const place = new Place(file);
  place.refuse('cut off in the middle of a write', `write the file whole; its last line is ${END}`);
  return { ok: false, problems: place.problems };
}

export const encodeYaml = <T>(shape: Shape<T>, value: T): string =>
  `${dump(shape.write(value), { lineWidth: -1, noRefs: true, flowLevel: -1 })}${END}\n`;

function loadYaml(text: string, place: Place): { readonly value: unknown } | undefined {
  try {
    return { value: load(text, { maxAliases: 0, maxDepth: 20 }) };
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const where = error.mark ? ` at line ${error.mark.line + 1}, column ${error.mark.column + 1}` : '';
    place.refuse(
      `not valid YAML${where}: ${withoutContent(error.reason)}`,
      'correct it; a text that begins with a sign needs quotes',
    );
    return undefined;
  }
}

/** A reason may repeat part of the file after a sign, and the file may be a list of secrets. */
const withoutContent = (reason: string): string => reason.replace(/\s*[!":].*$/s, '');
