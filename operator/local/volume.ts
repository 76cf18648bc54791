/** What files a pod's volumes hold, from the Secrets and ConfigMaps that they name. */
import type { Manifest } from '../plan/plan.ts';
import { isMapping, type Json } from './field-ownership.ts';
import { mappings, specOf } from './pod-object.ts';
import type { Files } from './projection.ts';

export interface Volume {
  readonly name: string;
  readonly files: Files;
}

/** Asks for an object of the pod's namespace. */
export type ObjectByName = (kind: SourceKind, name: string) => Manifest | undefined;
export type SourceKind = 'Secret' | 'ConfigMap';

/** Why a pod cannot have its volumes (yet); the message is one for people. */
export class VolumeMissing extends Error {}

/** Throws VolumeMissing for an object or an entry that is not there and not optional. */
export function volumesOf(pod: Manifest, find: ObjectByName): readonly Volume[] {
  return mappings(specOf(pod)['volumes']).map((volume) => ({
    name: `${volume['name']}`,
    files: new Map(filesOf(volume, find)),
  }));
}

type NamedFiles = readonly (readonly [string, Uint8Array])[];

function filesOf(volume: Readonly<Record<string, Json>>, find: ObjectByName): NamedFiles {
  const { secret, configMap, projected } = volume;
  if (isMapping(secret)) return objectFiles('Secret', { ...secret, name: secret['secretName'] }, find);
  if (isMapping(configMap)) return objectFiles('ConfigMap', configMap, find);
  if (!isMapping(projected)) return []; // emptyDir and whatever else begins empty
  return mappings(projected['sources']).flatMap((source) => [
    ...(isMapping(source['secret']) ? objectFiles('Secret', source['secret'], find) : []),
    ...(isMapping(source['configMap']) ? objectFiles('ConfigMap', source['configMap'], find) : []),
  ]);
}

function objectFiles(kind: SourceKind, source: Readonly<Record<string, Json>>, find: ObjectByName): NamedFiles {
  const { name, items, optional } = source;
  const object = find(kind, `${name}`);
  if (!object && optional !== true) {
    throw new VolumeMissing(
      `${kind} "${name}" is not there; create it, for instance as another file in the manifests' directory`,
    );
  }
  const data = object ? contentOf(object) : new Map<string, Uint8Array>();
  const wanted = items === undefined ? [...data.keys()].map((key) => ({ key, path: key })) : mappings(items);
  return wanted.flatMap(({ key, path }) => {
    const bytes = data.get(`${key}`);
    if (bytes) return [[safePath(`${path}`), bytes] as const];
    if (optional === true || !object) return [];
    throw new VolumeMissing(`${kind} "${name}" has no entry "${key}"; add it`);
  });
}

/** The text of a ConfigMap stands there as it is, that of Secrets and binary data in base64. */
function contentOf({ kind, ...object }: Manifest): ReadonlyMap<string, Uint8Array> {
  const entries = (field: string, encoding: 'utf8' | 'base64') =>
    Object.entries(isMapping(object[field]) ? object[field] : {}).map(
      ([key, text]) => [key, Buffer.from(`${text}`, encoding)] as const,
    );
  return new Map([...entries('data', kind === 'Secret' ? 'base64' : 'utf8'), ...entries('binaryData', 'base64')]);
}

function safePath(path: string): string {
  if (path.startsWith('/') || path.split('/').some((part) => part.startsWith('..') || part === '')) {
    throw new VolumeMissing(`"${path}" is no path inside a volume; the kubelet refuses it, too`);
  }
  return path;
}
