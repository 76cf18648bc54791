/** What files a pod's volumes hold, from the Secrets that they name. */
import type { Manifest } from '../plan/plan.ts';
import { isMapping, type Json } from './field-ownership.ts';
import { mappings, specOf } from './pod-object.ts';
import type { Files } from './projection.ts';

export interface Volume {
  readonly name: string;
  readonly files: Files;
}

/** Asks for a Secret of the pod's namespace. */
export type SecretByName = (name: string) => Manifest | undefined;

/** Why a pod cannot have its volumes (yet); the message is one for people. */
export class VolumeMissing extends Error {}

/** Throws VolumeMissing for a Secret or an entry that is not there and not optional. */
export function volumesOf(pod: Manifest, secret: SecretByName): readonly Volume[] {
  return mappings(specOf(pod)['volumes']).map((volume) => ({
    name: `${volume['name']}`,
    files: new Map(filesOf(volume, secret)),
  }));
}

function filesOf(volume: Readonly<Record<string, Json>>, secret: SecretByName): readonly (readonly [string, Uint8Array])[] {
  const { secret: single, projected } = volume;
  if (isMapping(single)) return secretFiles({ ...single, name: single['secretName'] }, secret);
  if (!isMapping(projected)) return []; // emptyDir and whatever else begins empty
  return mappings(projected['sources']).flatMap(({ secret: source }) => (isMapping(source) ? secretFiles(source, secret) : []));
}

function secretFiles(source: Readonly<Record<string, Json>>, secret: SecretByName): readonly (readonly [string, Uint8Array])[] {
  const { name, items, optional } = source;
  const object = secret(`${name}`);
  if (!object && optional !== true) {
    throw new VolumeMissing(`Secret "${name}" is not there; create it, for instance as another file in the manifests' directory`);
  }
  const data = isMapping(object?.['data']) ? object['data'] : {};
  const wanted = items === undefined ? Object.keys(data).map((key) => ({ key, path: key })) : mappings(items);
  return wanted.flatMap(({ key, path }) => {
    const text = data[`${key}`];
    if (typeof text === 'string') return [[safePath(`${path}`), Buffer.from(text, 'base64')] as const];
    if (optional === true || !object) return [];
    throw new VolumeMissing(`Secret "${name}" has no entry "${key}"; add it`);
  });
}

function safePath(path: string): string {
  if (path.startsWith('/') || path.split('/').some((part) => part.startsWith('..') || part === '')) {
    throw new VolumeMissing(`"${path}" is no path inside a volume; the kubelet refuses it, too`);
  }
  return path;
}
