/** The objects of one kind as last heard, and word of every change. */
import type { Manifest } from '../plan/plan.ts';
import type { Change, Selection } from './cluster.ts';
import type { Kind } from './kind.ts';

export class Cache {
  readonly #kind: Kind;
  readonly #objects: Map<string, Manifest> = new Map();
  readonly #changed: (change: Change) => void;

  constructor(kind: Kind, changed: (change: Change) => void) {
    this.#kind = kind;
    this.#changed = changed;
  }

  get(namespace: string, name: string): Manifest | undefined {
    return this.#objects.get(keyOf(namespace, name));
  }

  list(selection: Selection): readonly Manifest[] {
    return [...this.#objects.values()].filter((object) => selects(selection, object));
  }

  /** A full list: what is not in it has gone. */
  replace(objects: readonly Manifest[]): void {
    const keys = new Set(objects.map(keyOfObject));
    for (const [key, object] of this.#objects) if (!keys.has(key)) this.remove(object);
    for (const object of objects) this.set(object);
  }

  set(after: Manifest): void {
    const before = this.#objects.get(keyOfObject(after));
    if (before && before.metadata.resourceVersion === after.metadata.resourceVersion) return;
    this.#objects.set(keyOfObject(after), after);
    this.#changed({ kind: this.#kind, before, after });
  }

  remove(object: Manifest): void {
    const before = this.#objects.get(keyOfObject(object));
    if (!before) return;
    this.#objects.delete(keyOfObject(object));
    this.#changed({ kind: this.#kind, before, after: undefined });
  }
}

export function selects({ namespace, labels = {} }: Selection, { metadata }: Manifest): boolean {
  if (namespace && metadata.namespace !== namespace) return false;
  return Object.entries(labels).every(([key, value]) => metadata.labels?.[key] === value);
}

/** One string for a namespace and a name; `/` can be in neither. */
export const keyOf = (namespace: string, name: string): string => `${namespace}/${name}`;

const keyOfObject = ({ metadata }: Manifest): string => keyOf(metadata.namespace, metadata.name);
