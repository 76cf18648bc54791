/** Post-quantum pre-shared keys in files (RFC 8784 §5): each id with its key. No key is repeated. */
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { kind, type Parsed, Place, type Problem, quote, REFUSED } from './problem.ts';
import { isMapping, type Shape } from './schema.ts';
import { Secret } from './secret.ts';
import { parseYaml } from './yaml.ts';

export interface PostQuantumKeys {
  /** By PPK_ID, without its type. */
  ppk(id: Uint8Array): Uint8Array | undefined;
  readonly size: number;
  /** Not wrong, but weak. */
  readonly warnings: readonly Problem[];
}

/** RFC 8784 §5: "at least 256 bits" of entropy; a text of 32 characters can have so much. */
const STRONG_LENGTH = 32;
const LONGEST = 1024;

interface Entry {
  readonly id: string;
  readonly key: Secret;
  readonly file: string;
}

/** All files together: an id may stand in one of them only. */
export function parsePostQuantumKeys(
  files: readonly { readonly file: string; readonly text: string }[],
): Parsed<PostQuantumKeys> {
  const parsed = files.map(({ file, text }) => parseYaml(entries(file), file, text));
  const all = parsed.flatMap((result) => (result.ok ? result.value : []));
  const problems = [...parsed.flatMap((result) => (result.ok ? [] : result.problems)), ...duplicates(all)];
  if (problems.length > 0) return { ok: false, problems };
  const byId = new Map(all.map(({ id, key }) => [bytesToHex(utf8ToBytes(id)), key]));
  const warnings = all.filter(({ key }) => key.length < STRONG_LENGTH).map(weakness);
  return { ok: true, value: { ppk: (id) => byId.get(bytesToHex(id))?.expose(), size: byId.size, warnings } };
}

const entries = (file: string): Shape<readonly Entry[]> => ({
  read(value, place) {
    if (!isMapping(value)) return place.refuse(`not a mapping: ${kind(value)}`, 'write one line per key: "office": "the key"');
    const read = Object.entries(value).map(([id, key]) => entry(file, id, key, place.at(id)));
    const good = read.filter((part) => part !== REFUSED);
    return good.length === read.length ? good : REFUSED;
  },
  write: () => undefined,
});

function entry(file: string, id: string, key: unknown, place: Place): Entry | typeof REFUSED {
  if (id === '' || id.length > 255) return place.refuse('not an id', 'write 1 to 255 characters');
  if (typeof key !== 'string') return place.refuse(`the key is not a text: ${kind(key)}`, 'put it in quotes');
  if (key === '') return place.refuse('the key is empty', `write one of at least ${STRONG_LENGTH} random characters`);
  const bytes = utf8ToBytes(key);
  if (bytes.length > LONGEST) return place.refuse(`the key has ${bytes.length} bytes`, `write at most ${LONGEST}`);
  return { id, key: new Secret(bytes), file };
}

function duplicates(all: readonly Entry[]): readonly Problem[] {
  const first = new Map<string, Entry>();
  return all.flatMap((one) => {
    const other = first.get(one.id);
    first.set(one.id, other ?? one);
    return other ? [problem(one, `the same id as ${quote(other.id)} in ${other.file}`, 'keep one of the two')] : [];
  });
}

const weakness = (one: Entry): Problem =>
  problem(
    one,
    `the key has fewer than ${STRONG_LENGTH} characters`,
    'use a longer, random one, for instance from: openssl rand -base64 32',
  );

const problem = ({ file, id }: Entry, message: string, remedy: string): Problem => ({
  ...{ file, path: new Place(file).at(id).path },
  ...{ message, remedy },
});
