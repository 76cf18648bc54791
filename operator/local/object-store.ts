/** The objects of the local mode, with the manners of an API server: versions, generations, finalizers, ownership, garbage collection. */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { ApiError } from '../kube/api-error.ts';
import { keyOf, selects } from '../kube/cache.ts';
import type { Change, Selection } from '../kube/cluster.ts';
import { type Kind, kindOf } from '../kube/kind.ts';
import type { Manifest, Ref } from '../plan/plan.ts';
import type { Disk } from './disk.ts';
import { applyFields, isMapping, type Json, mergePatch, sameJson } from './field-ownership.ts';

/** An object, and what each field manager applied last. */
interface Stored {
  readonly object: Manifest;
  readonly applied: Readonly<Record<string, Json>>;
}

export interface Removal {
  readonly uid?: string | undefined;
  /** 0: at once. Only pods know another. */
  readonly graceSeconds?: number | undefined;
}

/** They live no longer than this process. */
const PASSING: readonly Kind[] = ['Pod', 'Event'];

export class ObjectStore {
  readonly #clock: Clock;
  readonly #disk: Disk | undefined;
  readonly #stored: Map<Kind, Map<string, Stored>> = new Map();
  readonly #listeners: Set<(change: Change) => void> = new Set();
  readonly #untold: Change[] = [];
  #telling = false;
  #version = 0;

  constructor(clock: Clock, disk: Disk | undefined) {
    this.#clock = clock;
    this.#disk = disk;
    for (const value of disk?.load() ?? []) this.#restore(value);
  }

  get(ref: Ref): Manifest | undefined {
    return this.#find(ref)?.object;
  }

  list(kind: Kind, selection: Selection = {}): readonly Manifest[] {
    return [...this.#all(kind).values()].map(({ object }) => object).filter((object) => selects(selection, object));
  }

  /** Of everything; a list is consistent with it. */
  get resourceVersion(): string {
    return `${this.#version}`;
  }

  watch(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  create(manifest: Manifest): Manifest {
    if (this.#find(refTo(manifest))) throw new ApiError(409, 'AlreadyExists', `${nameOf(manifest)} already exists`);
    return this.#put(undefined, manifest, {});
  }

  /** Exactly the version that `manifest` carries. */
  replace(manifest: Manifest): Manifest {
    const stored = this.#need(refTo(manifest));
    if (stored.object.metadata.resourceVersion !== manifest.metadata.resourceVersion)
      throw conflict(manifest, 'it has changed since');
    const { status } = stored.object;
    return this.#put(stored, status === undefined ? manifest : { ...manifest, status }, stored.applied);
  }

  /** `part` is the whole object without its status, or its status alone. */
  apply(manifest: Manifest, manager: string, part: 'object' | 'status' = 'object'): Manifest {
    const { uid, resourceVersion: _own, ...metadata } = manifest.metadata;
    const stored = this.#find(refTo(manifest));
    if (!stored && (uid !== undefined || part === 'status')) throw conflict(manifest, 'it is not there');
    checkUid(stored, uid);
    const owner = `${manager}/${part}`;
    const { status, ...rest } = manifest;
    const fields: Json = part === 'status' ? { status } : { ...rest, metadata };
    const next = applyFields(stored?.object ?? {}, stored?.applied[owner], fields);
    return this.#put(stored, toManifest(next), { ...stored?.applied, [owner]: fields });
  }

  /** RFC 7396. */
  merge(ref: Ref, patch: Readonly<Record<string, Json>>, uid?: string): Manifest {
    const stored = this.#need(ref);
    checkUid(stored, uid);
    return this.#put(stored, toManifest(mergePatch(stored.object, patch)), stored.applied);
  }

  /** Not there already is fine; another uid is a conflict. */
  remove(ref: Ref, { uid, graceSeconds }: Removal = {}): void {
    const stored = this.#find(ref);
    if (!stored) return;
    checkUid(stored, uid);
    const grace = graceSeconds ?? graceOf(stored.object);
    const waits = grace > 0 || finalizersOf(stored.object).length > 0;
    if (!waits) this.#erase(stored);
    else if (!isDeleting(stored.object)) this.#markDeleted(stored, grace);
  }

  /** What one manager applied and what of it is still there. */
  appliedBy(manager: string): readonly Manifest[] {
    const all = [...this.#stored.values()].flatMap((objects) => [...objects.values()]);
    return all.filter(({ applied }) => applied[`${manager}/object`] !== undefined).map(({ object }) => object);
  }

  #markDeleted(stored: Stored, grace: number): void {
    const deletionTimestamp = new Date(this.#clock.now() + grace * 1000).toISOString();
    const metadata = { ...stored.object.metadata, deletionTimestamp, deletionGracePeriodSeconds: grace };
    this.#put(stored, { ...stored.object, metadata }, stored.applied);
  }

  #restore(value: Json): void {
    if (!isMapping(value) || !isMapping(value['applied'])) return;
    const object = toManifest(value['object']);
    this.#all(kindOf(object)).set(keyOf(object.metadata.namespace, object.metadata.name), { object, applied: value['applied'] });
    this.#version = Math.max(this.#version, Number(object.metadata.resourceVersion ?? 0));
  }

  #put(before: Stored | undefined, wanted: Manifest, applied: Stored['applied']): Manifest {
    const object = this.#stamp(before?.object, withoutStringData(wanted));
    if (before && sameJson(before.object, object)) {
      if (!sameJson(before.applied, applied)) this.#save({ object: before.object, applied });
      return before.object;
    }
    const metadata = { ...object.metadata, resourceVersion: `${++this.#version}` };
    const stored = { object: { ...object, metadata }, applied };
    if (isDeleting(stored.object) && finalizersOf(stored.object).length === 0 && finalizersOf(before?.object).length > 0) {
      this.#erase(stored);
      return stored.object;
    }
    this.#save(stored);
    this.#tell({ kind: kindOf(object), before: before?.object, after: stored.object });
    return stored.object;
  }

  /** What only the server decides. */
  #stamp(before: Manifest | undefined, wanted: Manifest): Manifest {
    const generation = Number(before?.metadata['generation'] ?? 0);
    const changed = !before || !sameJson(before['spec'], wanted['spec']);
    const resourceVersion = before?.metadata.resourceVersion;
    const deletionTimestamp = before?.metadata['deletionTimestamp'];
    const server = {
      uid: before?.metadata.uid ?? randomUUID(),
      creationTimestamp: before?.metadata['creationTimestamp'] ?? new Date(this.#clock.now()).toISOString(),
      generation: changed ? generation + 1 : generation,
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    };
    return { ...wanted, metadata: { ...wanted.metadata, ...server } };
  }

  #erase({ object }: Stored): void {
    const kind = kindOf(object);
    const { namespace, name } = object.metadata;
    this.#all(kind).delete(keyOf(namespace, name));
    if (!PASSING.includes(kind)) this.#disk?.remove(kind, namespace, name);
    const last = { ...object, metadata: { ...object.metadata, resourceVersion: `${++this.#version}` } };
    this.#tell({ kind, before: last, after: undefined });
    this.#collectOrphans(object.metadata.uid);
  }

  /** Background deletion of what the object owned. */
  #collectOrphans(owner: string | undefined): void {
    for (const kind of this.#stored.keys()) {
      for (const object of this.list(kind)) {
        if (object.metadata.ownerReferences?.some(({ uid }) => uid === owner)) this.remove(refTo(object));
      }
    }
  }

  #save(stored: Stored): void {
    const { object } = stored;
    const kind = kindOf(object);
    const { namespace, name } = object.metadata;
    this.#all(kind).set(keyOf(namespace, name), stored);
    if (!PASSING.includes(kind)) this.#disk?.save(kind, namespace, name, stored);
  }

  /** In order, also when a listener writes. */
  #tell(change: Change): void {
    this.#untold.push(change);
    if (this.#telling) return;
    this.#telling = true;
    try {
      for (let next = this.#untold.shift(); next; next = this.#untold.shift()) {
        for (const listener of [...this.#listeners]) listener(next);
      }
    } finally {
      this.#telling = false;
    }
  }

  #all(kind: Kind): Map<string, Stored> {
    const known = this.#stored.get(kind);
    if (known) return known;
    const fresh = new Map<string, Stored>();
    this.#stored.set(kind, fresh);
    return fresh;
  }

  #find(ref: Ref): Stored | undefined {
    return this.#all(kindOf(ref)).get(keyOf(ref.namespace, ref.name));
  }

  #need(ref: Ref): Stored {
    const stored = this.#find(ref);
    if (!stored) throw new ApiError(404, 'NotFound', `${ref.kind} ${ref.namespace}/${ref.name} is not there`);
    return stored;
  }
}

export function refTo({ apiVersion, kind, metadata: { namespace, name } }: Manifest): Ref {
  return { apiVersion, kind, namespace, name };
}

/** Throws when the value is no object of Kubernetes; for values that were objects before. */
export function toManifest(value: Json): Manifest {
  if (!isMapping(value) || !isMapping(value['metadata'])) throw new Error('an object without metadata');
  const { apiVersion, kind, metadata } = value;
  return {
    ...value,
    apiVersion: `${apiVersion}`,
    kind: `${kind}`,
    metadata: { ...metadata, name: `${metadata['name']}`, namespace: `${metadata['namespace']}` },
  };
}

export const isDeleting = ({ metadata }: Manifest): boolean => metadata['deletionTimestamp'] !== undefined;

function finalizersOf(object: Manifest | undefined): readonly Json[] {
  const finalizers = object?.metadata['finalizers'];
  return Array.isArray(finalizers) ? finalizers : [];
}

function graceOf({ kind, spec }: Manifest): number {
  if (kind !== 'Pod') return 0;
  const grace = isMapping(spec) ? spec['terminationGracePeriodSeconds'] : undefined;
  return typeof grace === 'number' ? grace : 30;
}

function checkUid(stored: Stored | undefined, uid: string | undefined): void {
  if (stored && uid !== undefined && stored.object.metadata.uid !== uid)
    throw conflict(stored.object, 'another one has this name now');
}

const conflict = (manifest: Manifest, why: string): ApiError => new ApiError(409, 'Conflict', `${nameOf(manifest)}: ${why}`);

const nameOf = ({ kind, metadata }: Manifest): string => `${kind} ${metadata.namespace}/${metadata.name}`;

/** Secrets take `stringData` and keep `data`. */
function withoutStringData({ stringData, ...manifest }: Manifest): Manifest {
  if (manifest.kind !== 'Secret' || !isMapping(stringData))
    return { ...manifest, ...(stringData === undefined ? {} : { stringData }) };
  const encoded = Object.entries(stringData).map(([name, text]) => [name, Buffer.from(`${text}`, 'utf8').toString('base64')]);
  return { ...manifest, data: { ...(isMapping(manifest['data']) ? manifest['data'] : {}), ...Object.fromEntries(encoded) } };
}
