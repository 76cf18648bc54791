/** A directory of manifests as the source of truth: read whole, watched, applied when it changes; what is taken out of it is deleted. */
import { type FSWatcher, readdirSync, readFileSync, statSync, watch } from 'node:fs';
import { join } from 'node:path';
import type { Problem } from '../../sidecar/contract/problem.ts';
import type { Clock } from '../clock.ts';
import type { Manifest } from '../plan/plan.ts';
import { warningsAbout } from './credential-warning.ts';
import { parseManifests } from './manifest-file.ts';
import { type ObjectStore, refTo } from './object-store.ts';

export interface ManifestNews {
  readonly applied: (manifest: Manifest, how: 'created' | 'changed') => void;
  readonly removed: (manifest: Manifest) => void;
  /** The file is refused whole; what it said before stays in force. */
  readonly refused: (file: string, problems: readonly Problem[]) => void;
  /** In force, but it will not work. */
  readonly doubted: (problems: readonly Problem[]) => void;
}

/** Field manager of everything that users write. */
export const USER = 'user';
/** Editors write a file in several steps. */
const SETTLE_MS = 50;
/** Some file systems tell nothing of their changes. */
const LOOK_AGAIN_MS = 5_000;

export class ManifestDirectory {
  readonly #directory: string;
  readonly #store: ObjectStore;
  readonly #clock: Clock;
  readonly #news: ManifestNews;
  /** The text of each file as last read. */
  #texts: ReadonlyMap<string, string> = new Map();
  readonly #refused: Set<string> = new Set();
  #doubts = '';
  #watcher: FSWatcher | undefined;
  #cancel: () => void = () => {};

  constructor(directory: string, store: ObjectStore, clock: Clock, news: ManifestNews) {
    this.#directory = directory;
    this.#store = store;
    this.#clock = clock;
    this.#news = news;
  }

  /** Throws when there is no such directory. */
  start(): void {
    if (!statSync(this.#directory, { throwIfNoEntry: false })?.isDirectory()) {
      throw new Error(`${this.#directory}: not a directory; name one with manifests, for instance examples/quickstart`);
    }
    this.#watcher = watch(this.#directory, () => this.#lookLater(SETTLE_MS));
    this.#watcher.on('error', () => {});
    this.look();
    this.#lookLater(LOOK_AGAIN_MS);
  }

  stop(): void {
    this.#cancel();
    this.#watcher?.close();
  }

  /** Applies what has changed since the last look. */
  look(): void {
    const texts = readFiles(this.#directory);
    const changed = [...texts].filter(([file, text]) => this.#texts.get(file) !== text);
    const fewer = [...this.#texts.keys()].some((file) => !texts.has(file));
    const first = this.#watcher !== undefined && this.#texts.size === 0;
    this.#texts = texts;
    for (const file of [...this.#refused]) if (!texts.has(file)) this.#refused.delete(file);
    for (const [file, text] of changed) this.#take(file, text);
    if (changed.length > 0 || fewer || first) this.#removeOthers();
    this.#doubt();
  }

  #take(file: string, text: string): void {
    const parsed = parseManifests(file, text, (ref) => this.#store.get(ref));
    if (parsed.ok) this.#refused.delete(file);
    else this.#refused.add(file);
    if (parsed.ok) for (const manifest of parsed.value) this.#apply(manifest);
    else this.#news.refused(file, parsed.problems);
  }

  #apply(manifest: Manifest): void {
    const before = this.#store.get(refTo(manifest));
    const after = this.#store.apply(manifest, USER);
    if (after !== before) this.#news.applied(after, before ? 'changed' : 'created');
  }

  /** Only when every file is understood: a file that is not may be the one that names the object. */
  #removeOthers(): void {
    if (this.#refused.size > 0) return;
    const named = new Set([...this.#texts].flatMap(([file, text]) => this.#names(file, text)));
    for (const object of this.#store.appliedBy(USER)) {
      if (named.has(keyOf(object)) || object.metadata['deletionTimestamp'] !== undefined) continue;
      this.#store.remove(refTo(object));
      this.#news.removed(object);
    }
  }

  #names(file: string, text: string): readonly string[] {
    const parsed = parseManifests(file, text, () => undefined);
    return parsed.ok ? parsed.value.map(keyOf) : [];
  }

  #doubt(): void {
    const problems = warningsAbout(this.#store);
    const doubts = JSON.stringify(problems);
    if (doubts !== this.#doubts && problems.length > 0) this.#news.doubted(problems);
    this.#doubts = doubts;
  }

  #lookLater(ms: number): void {
    this.#cancel();
    this.#cancel = this.#clock.after(ms, () => {
      this.#lookLater(LOOK_AGAIN_MS);
      this.look();
    });
  }
}

function readFiles(directory: string): ReadonlyMap<string, string> {
  const names = readdirSync(directory).filter((name) => /\.(ya?ml|json)$/.test(name) && !name.startsWith('.'));
  return new Map(names.sort().flatMap((name) => readText(join(directory, name))));
}

/** Between the listing and the reading a file may go. */
function readText(file: string): readonly (readonly [string, string])[] {
  try {
    return [[file, readFileSync(file, 'utf8')]];
  } catch {
    return [];
  }
}

const keyOf = ({ kind, metadata }: Manifest): string => `${kind}/${metadata.namespace}/${metadata.name}`;
