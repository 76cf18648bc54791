/** Users of EAP-MSCHAPv2 in files: each name with a password, or with its NT hash so that no password need be stored. No secret is repeated. */
import { hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { ntHash } from './nt-hash.ts';
import { kind, type Parsed, Place, type Problem, quote, REFUSED, type Refused } from './problem.ts';
import { isMapping, type Shape } from './schema.ts';
import { Secret } from './secret.ts';
import { parseYaml } from './yaml.ts';

export interface EapUsers {
  /** 16 bytes (RFC 2759 §8.3), by the name as it stands in the file. */
  ntHash(name: string): Secret | undefined;
  readonly size: number;
  /** Not wrong, but weak. */
  readonly warnings: readonly Problem[];
}

/** Shorter ones can be guessed offline by whoever poses as the gateway. */
const STRONG_LENGTH = 12;
/** RFC 2759 §8.1: 0 to 256 characters, of the name and of the password. */
const LONGEST = 256;
const ENTRY_REMEDY = 'write "alice": "the password", or below the name either password: or ntHash:';
const HASH_REMEDY = 'write its 32 hexadecimal digits in quotes';

interface Entry {
  readonly name: string;
  readonly hash: Secret;
  /** Of the password; undefined with a hash alone. */
  readonly length: number | undefined;
  readonly file: string;
}

/** All files together: a user may stand in one of them only. */
export function parseEapUsers(files: readonly { readonly file: string; readonly text: string }[]): Parsed<EapUsers> {
  const parsed = files.map(({ file, text }) => parseYaml(entries(file), file, text));
  const all = parsed.flatMap((result) => (result.ok ? result.value : []));
  const problems = [...parsed.flatMap((result) => (result.ok ? [] : result.problems)), ...duplicates(all)];
  if (problems.length > 0) return { ok: false, problems };
  const byName = new Map(all.map(({ name, hash }) => [name, hash]));
  return {
    ok: true,
    value: { ntHash: (name) => byName.get(name), size: byName.size, warnings: all.flatMap(weakness) },
  };
}

const entries = (file: string): Shape<readonly Entry[]> => ({
  read(value, place) {
    if (!isMapping(value))
      return place.refuse(`not a mapping: ${kind(value)}`, 'write one line per user: "alice": "the password"');
    const read = Object.entries(value).map(([name, secret]) => entry(file, name, secret, place.at(name)));
    const good = read.filter((part) => part !== REFUSED);
    return good.length === read.length ? good : REFUSED;
  },
  write: () => undefined,
});

function entry(file: string, name: string, value: unknown, place: Place): Entry | Refused {
  if (name === '') return place.refuse('the name is empty', 'write the name that the user types');
  const length = utf8ToBytes(name).length;
  if (length > LONGEST) return place.refuse(`the name has ${length} bytes`, `write at most ${LONGEST}`);
  const secret = isMapping(value) ? fromMapping(value, place) : fromPassword(value, place, ENTRY_REMEDY);
  return secret === REFUSED ? REFUSED : { file, name, ...secret };
}

type SecretOf = Pick<Entry, 'hash' | 'length'>;

function fromMapping(value: Readonly<Record<string, unknown>>, place: Place): SecretOf | Refused {
  const fields = Object.keys(value);
  const [field] = fields;
  const other = fields.find((name) => name !== 'password' && name !== 'ntHash');
  if (other !== undefined) return place.at(other).refuse('unknown field', 'remove it; the fields here are password or ntHash');
  if (field === undefined) return place.refuse('neither a password nor an NT hash', ENTRY_REMEDY);
  if (fields.length > 1) return place.refuse('both a password and an NT hash', 'keep one of the two');
  const inner = place.at(field);
  return field === 'password' ? fromPassword(value[field], inner, 'put it in quotes') : fromHash(value[field], inner);
}

function fromPassword(value: unknown, place: Place, remedy: string): SecretOf | Refused {
  if (typeof value !== 'string') return place.refuse(`the password is not a text: ${kind(value)}`, remedy);
  if (value === '') return place.refuse('the password is empty', `write one of at least ${STRONG_LENGTH} characters`);
  if (value.length > LONGEST) return place.refuse(`the password has ${value.length} characters`, `write at most ${LONGEST}`);
  return { hash: new Secret(ntHash(value)), length: value.length };
}

function fromHash(value: unknown, place: Place): SecretOf | Refused {
  if (typeof value !== 'string') return place.refuse(`the NT hash is not a text: ${kind(value)}`, HASH_REMEDY);
  if (!/^[0-9a-f]{32}$/i.test(value)) return place.refuse('not an NT hash', HASH_REMEDY);
  return { hash: new Secret(hexToBytes(value)), length: undefined };
}

function duplicates(all: readonly Entry[]): readonly Problem[] {
  const first = new Map<string, Entry>();
  return all.flatMap((entry) => {
    const other = first.get(entry.name);
    first.set(entry.name, other ?? entry);
    return other ? [problem(entry, `the same user as ${quote(other.name)} in ${other.file}`, 'keep one of the two')] : [];
  });
}

const weakness = (entry: Entry): readonly Problem[] =>
  entry.length !== undefined && entry.length < STRONG_LENGTH
    ? [problem(entry, `the password has fewer than ${STRONG_LENGTH} characters`, 'use a longer, random one')]
    : [];

const problem = ({ file, name }: Entry, message: string, remedy: string): Problem => ({
  file,
  path: new Place(file).at(name).path,
  message,
  remedy,
});
