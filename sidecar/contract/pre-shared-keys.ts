/** Pre-shared keys in files (RFC 7296 §2.15): each maps identities to secrets, `"alice@example.com": "…"`. Users write them, so much is explained and no secret repeated. */
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import type { Identity } from './gateway-config.ts';
import { IDENTITY_REMEDY, readIdentity } from './identity.ts';
import { kind, type Parsed, Place, type Problem, quote, REFUSED } from './problem.ts';
import { isMapping, type Shape } from './schema.ts';
import { Secret } from './secret.ts';
import { parseYaml } from './yaml.ts';

export interface PreSharedKeys {
  psk(identity: Identity): Uint8Array | undefined;
  readonly size: number;
  /** Not wrong, but weak. */
  readonly warnings: readonly Problem[];
}

/** Shorter ones can be guessed offline by whoever poses as the gateway. */
const STRONG_LENGTH = 16;
const LONGEST = 1024;

interface Entry {
  readonly identity: Identity;
  readonly secret: Secret;
  readonly file: string;
  readonly text: string;
}

/** All files together: an identity may stand in one of them only. */
export function parsePreSharedKeys(files: readonly { readonly file: string; readonly text: string }[]): Parsed<PreSharedKeys> {
  const parsed = files.map(({ file, text }) => parseYaml(entries(file), file, text));
  const all = parsed.flatMap((result) => (result.ok ? result.value : []));
  const problems = [...parsed.flatMap((result) => (result.ok ? [] : result.problems)), ...duplicates(all)];
  if (problems.length > 0) return { ok: false, problems };
  const byIdentity = new Map(all.map((entry) => [key(entry.identity), entry.secret]));
  return {
    ok: true,
    value: {
      psk: (identity) => byIdentity.get(key(identity))?.expose(),
      size: byIdentity.size,
      warnings: all.flatMap((entry) => weakness(entry)),
    },
  };
}

const key = ({ idType, data }: Identity): string => `${idType}:${bytesToHex(data)}`;

const entries = (file: string): Shape<readonly Entry[]> => ({
  read(value, place) {
    if (!isMapping(value))
      return place.refuse(`not a mapping: ${kind(value)}`, 'write one line per user: "alice@example.com": "the secret"');
    const read = Object.entries(value).map(([text, secret]) => entry(file, text, secret, place.at(text)));
    const good = read.filter((part) => part !== REFUSED);
    return good.length === read.length ? good : REFUSED;
  },
  write: () => undefined,
});

function entry(file: string, text: string, secret: unknown, place: Place): Entry | typeof REFUSED {
  const identity = readIdentity(text);
  if (!identity) return place.refuse(`not an identity: ${quote(text)}`, IDENTITY_REMEDY);
  if (typeof secret !== 'string') return place.refuse(`the secret is not a text: ${kind(secret)}`, 'put it in quotes');
  if (secret === '') return place.refuse('the secret is empty', `write one of at least ${STRONG_LENGTH} characters`);
  const bytes = utf8ToBytes(secret);
  if (bytes.length > LONGEST) return place.refuse(`the secret has ${bytes.length} bytes`, `write at most ${LONGEST}`);
  return { identity, secret: new Secret(bytes), file, text };
}

function duplicates(all: readonly Entry[]): readonly Problem[] {
  const first = new Map<string, Entry>();
  return all.flatMap((entry) => {
    const other = first.get(key(entry.identity));
    first.set(key(entry.identity), other ?? entry);
    return other ? [problem(entry, `the same identity as ${quote(other.text)} in ${other.file}`, 'keep one of the two')] : [];
  });
}

const weakness = (entry: Entry): readonly Problem[] =>
  entry.secret.length < STRONG_LENGTH
    ? [problem(entry, `the secret has fewer than ${STRONG_LENGTH} characters`, 'use a longer, random one')]
    : [];

const problem = ({ file, text }: Entry, message: string, remedy: string): Problem => ({
  file,
  path: new Place(file).at(text).path,
  message,
  remedy,
});
