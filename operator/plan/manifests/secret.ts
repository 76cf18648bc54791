/** Secrets with one text file per entry. */
import type { Manifest, Metadata, Ref } from '../plan.ts';

export const secretManifest = (
  ref: Ref,
  metadata: Pick<Metadata, 'ownerReferences' | 'labels' | 'annotations'>,
  files: Readonly<Record<string, string>>,
): Manifest => ({
  apiVersion: ref.apiVersion,
  kind: ref.kind,
  metadata: { name: ref.name, namespace: ref.namespace, ...metadata },
  type: 'Opaque',
  data: Object.fromEntries(Object.entries(files).map(([name, text]) => [name, Buffer.from(text, 'utf8').toString('base64')])),
});

/** Undefined when there is no such entry. */
export function secretText(secret: Manifest, name: string): string | undefined {
  const { data } = secret;
  const value =
    typeof data === 'object' && data !== null ? Object.entries(data).find(([entry]) => entry === name)?.[1] : undefined;
  return typeof value === 'string' ? Buffer.from(value, 'base64').toString('utf8') : undefined;
}
