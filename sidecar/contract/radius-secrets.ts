/** Secrets shared with RADIUS servers (RFC 2865 §3), one file per server: the file's name is what `radius.servers[].secret` says, its content the secret. */
import { utf8ToBytes } from '@noble/hashes/utils.js';
import { type Parsed, Place, type Problem } from './problem.ts';
import { Secret } from './secret.ts';

export interface RadiusSecrets {
  /** Of the file of that name. */
  secret(file: string): Secret | undefined;
  readonly size: number;
  /** Not wrong, but weak. */
  readonly warnings: readonly Problem[];
}

/** RFC 2865 §3: "It is preferred that the secret be at least 16 octets". */
const STRONG_LENGTH = 16;
const LONGEST = 1024;

export const NO_RADIUS_SECRETS: RadiusSecrets = { secret: () => undefined, size: 0, warnings: [] };

/** A line break at the end belongs to the file, not to the secret. */
export function parseRadiusSecrets(files: readonly { readonly file: string; readonly text: string }[]): Parsed<RadiusSecrets> {
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const secrets = new Map<string, Secret>();
  for (const { file, text } of files) {
    const bytes = utf8ToBytes(text.replace(/\r?\n$/, ''));
    const place = new Place(file, '', problems);
    // RFC 2865 §3: "The secret MUST NOT be empty (length 0)".
    if (bytes.length === 0) place.refuse('the secret is empty', `write one of at least ${STRONG_LENGTH} random characters`);
    else if (bytes.length > LONGEST) place.refuse(`the secret has ${bytes.length} bytes`, `write at most ${LONGEST}`);
    else if (bytes.some((byte) => byte === 0x0a || byte === 0x0d))
      place.refuse('the secret has more than one line', 'write one secret in one line');
    else secrets.set(file, new Secret(bytes));
    if (bytes.length > 0 && bytes.length < STRONG_LENGTH)
      new Place(file, '', warnings).refuse(`the secret has fewer than ${STRONG_LENGTH} characters`, 'use a longer, random one');
  }
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, value: { secret: (file) => secrets.get(file), size: secrets.size, warnings } };
}
