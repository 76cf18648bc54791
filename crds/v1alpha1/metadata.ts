/** The part of ObjectMeta that Rekindle reads (Kubernetes API reference, meta/v1). */
export interface Metadata {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  /** Grows with every change of the spec. */
  readonly generation: number;
  readonly resourceVersion?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly creationTimestamp?: string;
  /** Set once it is being deleted. */
  readonly deletionTimestamp?: string;
}
