/** Whether an object as observed already is what a manifest asks for. */
import { fingerprint } from './fingerprint.ts';
import { GROUP } from './names.ts';
import type { Manifest } from './plan.ts';

const MANIFEST = `${GROUP}/manifest`;

/** The manifest with its own fingerprint, by which a field that it no longer has is noticed. */
export const marked = (manifest: Manifest): Manifest => ({
  ...manifest,
  metadata: { ...manifest.metadata, annotations: { ...manifest.metadata.annotations, [MANIFEST]: fingerprint(manifest) } },
});

/** Everything that `wanted` says holds in `observed`, which may say more (defaults, status, other managers' fields). */
export function holds(wanted: unknown, observed: unknown): boolean {
  if (Array.isArray(wanted)) {
    return Array.isArray(observed) && wanted.length === observed.length && wanted.every((item, i) => holds(item, observed[i]));
  }
  if (!isMapping(wanted)) return wanted === observed || wanted === undefined;
  return isMapping(observed) && Object.entries(wanted).every(([name, part]) => holds(part, observed[name]));
}

/** The same JSON, whatever the order of its fields. */
export const isSame = (a: unknown, b: unknown): boolean => holds(a, b) && holds(b, a);

export const isMapping = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
