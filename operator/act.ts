/** Performs a plan, in the order that keeps every moment in between safe: rings, children, removals, pods, finalizer, status, events. */
import { isGone, isStatus } from './kube/api-error.ts';
import type { Cluster, Existing } from './kube/cluster.ts';
import type { Manifest, Observed, Plan, Ref } from './plan/plan.ts';

export interface Outcome {
  /** Something was in the way: plan again after so long. */
  readonly again: { readonly inMs: number } | undefined;
  /** What was done, for the log: names of objects, never what is in them. */
  readonly done: readonly string[];
}

/** Throws ApiError for what the queue shall try again with growing pauses. */
export async function act(plan: Plan, { resource, ...observed }: Observed, cluster: Cluster): Promise<Outcome> {
  const done: string[] = [];
  const self = existing(resource);
  if (await overtaken(plan, cluster, done)) return { again: { inMs: 0 }, done };
  for (const manifest of plan.apply) {
    await cluster.apply(manifest);
    done.push(`applied ${nameOf(manifest)}`);
  }
  for (const ref of plan.remove) {
    const uid = uidOf(ref, [...('children' in observed ? observed.children : []), ...(observed.ring ? [observed.ring] : [])]);
    if (uid === undefined) continue;
    await cluster.remove({ ...ref, uid });
    done.push(`removed ${ref.kind} ${ref.name}`);
  }
  const again = await actOnPods(plan, cluster, done);
  if (plan.finalizer) {
    await cluster.setFinalizer(self, plan.finalizer.name, plan.finalizer.present);
    done.push(`${plan.finalizer.present ? 'added' : 'removed'} finalizer`);
  }
  if (plan.status) {
    await cluster.applyStatus(self, plan.status);
    done.push('status');
  }
  for (const event of plan.events) await cluster.record(resource, event);
  return { again, done };
}

/** Whether another writer was faster: then everything that was planned is out of date. */
async function overtaken(plan: Plan, cluster: Cluster, done: string[]): Promise<boolean> {
  for (const write of plan.guarded) {
    try {
      await cluster.write(write);
    } catch (error) {
      if (isStatus(error, 409, 404)) return true;
      throw error;
    }
    done.push(`wrote ${nameOf(write.manifest)}`);
  }
  return false;
}

/** A PodDisruptionBudget that says no is waited for; a pod that is gone needs nothing more. */
async function actOnPods(plan: Plan, cluster: Cluster, done: string[]): Promise<Outcome['again']> {
  let again: Outcome['again'];
  for (const pod of plan.evict) {
    try {
      await cluster.evict(pod);
      done.push(`evicted ${pod.name}`);
    } catch (error) {
      if (isStatus(error, 429)) again = { inMs: error.retryAfterMs ?? BUDGET_WAIT_MS };
      else if (!isGone(error)) throw error;
    }
  }
  for (const pod of plan.forceDelete) {
    await cluster.forceDelete(pod);
    done.push(`deleted ${pod.name} by force`);
  }
  for (const { pod, annotations } of plan.touch) {
    await cluster.annotate(pod, annotations).catch(unlessGone);
    done.push(`touched ${pod.name}`);
  }
  return again;
}

const BUDGET_WAIT_MS = 5_000;

function unlessGone(error: unknown): void {
  if (!isGone(error)) throw error;
}

function uidOf(ref: Ref, objects: readonly Manifest[]): string | undefined {
  return objects.find(({ kind, metadata }) => kind === ref.kind && metadata.name === ref.name)?.metadata.uid;
}

function existing({ apiVersion, kind, metadata: { namespace, name, uid } }: Observed['resource']): Existing {
  return { apiVersion, kind, namespace, name, uid };
}

const nameOf = ({ kind, metadata }: Manifest): string => `${kind} ${metadata.name}`;
