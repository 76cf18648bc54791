/** A key ring as the Secret that holds it: the file for the pods in its data, what only the operator needs in annotations. */
import { formatTime, parseTime } from '../../crds/v1alpha1/time.ts';
import { encodeKeyRing, parseKeyRing } from '../../sidecar/contract/key-ring-yaml.ts';
import type { Parsed } from '../../sidecar/contract/problem.ts';
import { secretManifest, secretText } from './manifests/secret.ts';
import { GROUP } from './names.ts';
import type { Manifest, OwnerReference, Ref } from './plan.ts';
import type { KeptRing } from './ticket-keys.ts';

export const KEY_RING_FILE = 'key-ring.yaml';

const ROTATION_TOKEN = `${GROUP}/rotation-token`;
const PUBLISHED_AT = `${GROUP}/published-at`;
const URGENT_GENERATION = `${GROUP}/urgent-generation`;

/** Problems name no secret. */
export function readRing(secret: Manifest): Parsed<KeptRing> {
  const parsed = parseKeyRing(KEY_RING_FILE, secretText(secret, KEY_RING_FILE) ?? '');
  if (!parsed.ok) return parsed;
  const annotations = secret.metadata.annotations ?? {};
  return {
    ok: true,
    value: {
      ring: parsed.value,
      rotationToken: annotations[ROTATION_TOKEN] ?? '',
      publishedAt: parseTime(annotations[PUBLISHED_AT] ?? '') ?? 0,
      urgentGeneration: Number(annotations[URGENT_GENERATION] ?? 0),
    },
  };
}

export function ringSecret(ref: Ref, owner: OwnerReference, labels: Readonly<Record<string, string>>, kept: KeptRing): Manifest {
  const annotations = {
    [ROTATION_TOKEN]: kept.rotationToken,
    [PUBLISHED_AT]: formatTime(kept.publishedAt),
    [URGENT_GENERATION]: String(kept.urgentGeneration),
  };
  return secretManifest(ref, { ownerReferences: [owner], labels, annotations }, { [KEY_RING_FILE]: encodeKeyRing(kept.ring) });
}
