/** Carries a plan out on what was observed, as a cluster would that does nothing by itself. */
import { isMapping } from '../../../operator/plan/difference.ts';
import type { Manifest, Observed, Plan, Pod } from '../../../operator/plan/plan.ts';

export function act(plan: Plan, observed: Observed): Observed {
  const { guarded, status, finalizer } = plan;
  const ring = guarded.reduce<Manifest | undefined>((_, { manifest }) => versioned(manifest), observed.ring);
  const metadata = finalizer
    ? { ...observed.resource.metadata, finalizers: finalizer.present ? [finalizer.name] : [] }
    : observed.resource.metadata;
  const pods = observed.pods.flatMap((pod) => podAfter(plan, pod));
  if (observed.kind === 'TicketKey') {
    const resource = { ...observed.resource, metadata, ...(status ? { status } : {}) } as typeof observed.resource;
    return { ...observed, resource, ring, pods };
  }
  const resource = { ...observed.resource, metadata, ...(status ? { status } : {}) } as typeof observed.resource;
  return { ...observed, resource, ring, pods, children: childrenAfter(plan, observed.children) };
}

const versioned = (manifest: Manifest): Manifest => ({
  ...manifest,
  metadata: { ...manifest.metadata, resourceVersion: String(Number(manifest.metadata.resourceVersion ?? 100) + 1) },
});

function podAfter({ evict, forceDelete, touch }: Plan, pod: Pod): readonly Pod[] {
  if (forceDelete.some(({ uid }) => uid === pod.uid)) return [];
  const annotations = touch.filter((touched) => touched.pod.uid === pod.uid).map((touched) => touched.annotations);
  return [
    {
      ...pod,
      terminating: pod.terminating || evict.some(({ uid }) => uid === pod.uid),
      annotations: Object.assign({ ...pod.annotations }, ...annotations),
    },
  ];
}

function childrenAfter({ apply, remove }: Plan, children: readonly Manifest[]): readonly Manifest[] {
  const isAt = (child: Manifest, kind: string, name: string) => child.kind === kind && child.metadata.name === name;
  const kept = children.filter((child) => !remove.some(({ kind, name }) => isAt(child, kind, name)));
  const untouched = kept.filter((child) => !apply.some(({ kind, metadata }) => isAt(child, kind, metadata.name)));
  const applied = apply.map((manifest) =>
    merged(
      kept.find((child) => isAt(child, manifest.kind, manifest.metadata.name)),
      manifest,
    ),
  );
  return [...untouched, ...applied] as readonly Manifest[];
}

/** What others have set stays, as with server-side apply. */
export function merged(before: unknown, applied: unknown): unknown {
  if (!isMapping(before) || !isMapping(applied)) return applied;
  return { ...before, ...Object.fromEntries(Object.entries(applied).map(([name, part]) => [name, merged(before[name], part)])) };
}
