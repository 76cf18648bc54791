/** `key-ring.yaml` as text (RFC 5723 §9.5). A digest over its content ends it: a ring that was cut off or edited by hand is no ring. */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { hexBytes, instant, secretBytes } from './bytes.ts';
import type { KeyRing, RingKey } from './key-ring.ts';
import type { Parsed, Place } from './problem.ts';
import { checked, integer, list, maybe, oneOf, optional, record, required, type Shape, text } from './schema.ts';
import { encodeYaml, parseEndedYaml } from './yaml.ts';

interface SealedRing extends KeyRing {
  readonly digest: string;
}

/** `file` names it in problems; no problem repeats a secret. */
export function parseKeyRing(file: string, yaml: string): Parsed<KeyRing> {
  const parsed = parseEndedYaml(sealedRing, file, yaml);
  if (!parsed.ok) return parsed;
  const { digest: _, ...value } = parsed.value;
  return { ok: true, value };
}

export const encodeKeyRing = (ring: KeyRing): string => encodeYaml(sealedRing, { ...ring, digest: digest(ring) });

export const ringId = text('an id of a ring', /^[!-~]{1,64}$/, 'write 1 to 64 visible ASCII characters without spaces');
export const ringGeneration = integer(0, Number.MAX_SAFE_INTEGER);

const ringKey = checked(
  record<RingKey>({
    id: required(hexBytes(8)),
    algorithm: required(oneOf('XChaCha20-Poly1305')),
    state: required(oneOf('next', 'active', 'retired')),
    secret: required(secretBytes(32)),
    createdAt: required(instant),
    openUntil: maybe(instant),
  }),
  ({ state, openUntil }, place) => {
    if (state !== 'retired' && openUntil !== undefined) {
      place.at('openUntil').refuse(`set on a key that is ${state}`, 'only a retired key has an end');
    }
  },
);

const fields = {
  ringId: required(ringId),
  generation: required(ringGeneration),
  keys: required(list(ringKey, { min: 1, max: 64 })),
  revoked: optional(list(record<KeyRing['revoked'][number]>({ id: required(hexBytes(8)), until: required(instant) })), []),
  revokedBefore: optional(instant, 0),
};
const ringContent: Shape<KeyRing> = record<KeyRing>(fields);

const sealedRing: Shape<SealedRing> = checked(
  record<SealedRing>({ ...fields, digest: required(text('a digest', /^[0-9a-f]{64}$/, 'write the file whole')) }),
  (ring, place) => {
    distinctIds(ring, place);
    oneActive(ring, place);
    if (place.problems.length === 0 && ring.digest !== digest(ring)) {
      place
        .at('digest')
        .refuse('does not fit the content', 'write the file whole; a ring that is changed by hand needs a new digest');
    }
  },
);

/** Of the content, not of its spelling: SHA-256 over the canonical JSON form. The secrets in it have 256 bits of entropy each. */
const digest = (ring: KeyRing): string => bytesToHex(sha256(utf8ToBytes(JSON.stringify(ringContent.write(ring)))));

function distinctIds({ keys, revoked }: KeyRing, place: Place): void {
  const listed = [
    ...keys.map((key, i) => [key.id, place.at('keys').at(i)] as const),
    ...revoked.map((key, i) => [key.id, place.at('revoked').at(i)] as const),
  ];
  const seen = new Map<string, string>();
  for (const [id, at] of listed) {
    const other = seen.get(bytesToHex(id));
    if (other !== undefined)
      at.at('id').refuse(`the same as that of ${other}: "${bytesToHex(id)}"`, 'give each key an id of its own');
    seen.set(bytesToHex(id), at.path);
  }
}

function oneActive({ keys }: KeyRing, place: Place): void {
  const active = keys.filter((key) => key.state === 'active').length;
  if (active !== 1) place.at('keys').refuse(`${active} keys are active`, 'exactly one must be');
}
