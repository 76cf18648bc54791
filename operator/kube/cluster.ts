/** The port between the controller and a cluster: a real API server or the local mode. Everything else in the operator sees only this. */
import type { GuardedWrite, Manifest, PlannedEvent, PodRef, Ref } from '../plan/plan.ts';
import type { Kind } from './kind.ts';

/** Which objects of a kind; without a namespace all that the operator may see. */
export interface Selection {
  readonly namespace?: string;
  /** Equality only. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** One object came, changed or went. After a gap in a watch several changes may arrive as one. */
export interface Change {
  readonly kind: Kind;
  readonly before: Manifest | undefined;
  readonly after: Manifest | undefined;
}

/** One object that is known to exist: the uid keeps a write from reaching a successor of the same name. */
export interface Existing extends Ref {
  readonly uid: string;
}

/** What an event is about. */
export interface Regarding {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly namespace: string;
    readonly name: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
  };
}

/** Every method that answers a promise throws ApiError. */
export interface Cluster {
  /** From the cache. */
  get(ref: Ref): Manifest | undefined;
  list(kind: Kind, selection: Selection): readonly Manifest[];
  /** Past the cache. */
  read(ref: Ref): Promise<Manifest | undefined>;
  readAll(kind: Kind, selection: Selection): Promise<readonly Manifest[]>;
  /** The latest events about an object with one of these reasons, newest first. */
  eventsAbout(
    object: Manifest,
    reasons: readonly string[],
  ): Promise<readonly { readonly reason: string; readonly message: string }[]>;
  /** Changes of the cached kinds, from now on. Answers how to stop. */
  watch(listener: (change: Change) => void): () => void;

  /** Server-side apply of the fields that we own. */
  apply(manifest: Manifest): Promise<void>;
  applyStatus(object: Existing, status: object): Promise<void>;
  /** Creates, or replaces exactly the version that was read; ApiError 409 otherwise. */
  write(write: GuardedWrite): Promise<void>;
  remove(object: Existing): Promise<void>;
  setFinalizer(object: Existing, name: string, present: boolean): Promise<void>;
  /** ApiError 429 while a PodDisruptionBudget forbids it. */
  evict(pod: PodRef): Promise<void>;
  forceDelete(pod: PodRef): Promise<void>;
  annotate(pod: PodRef, annotations: Readonly<Record<string, string>>): Promise<void>;
  record(regarding: Regarding, event: PlannedEvent): Promise<void>;
}

export const FIELD_MANAGER = 'rekindle-operator';
