/** Reads what a Pod's JSON says. */
import type { Manifest } from '../plan/plan.ts';
import { isMapping, type Json } from './field-ownership.ts';

export const statusOf = ({ status }: Manifest): Readonly<Record<string, Json>> => (isMapping(status) ? status : {});

export const specOf = ({ spec }: Manifest): Readonly<Record<string, Json>> => (isMapping(spec) ? spec : {});

export function conditionOf(object: Manifest, type: string): Readonly<Record<string, Json>> | undefined {
  return mappings(statusOf(object)['conditions']).find((condition) => condition['type'] === type);
}

export const podReady = (pod: Manifest): boolean => conditionOf(pod, 'Ready')?.['status'] === 'True';

export function podAddress(pod: Manifest): string | undefined {
  const address = statusOf(pod)['podIP'];
  return typeof address === 'string' ? address : undefined;
}

/** The number at the end of a name that a StatefulSet gave. */
export function ordinalOf({ metadata }: Manifest): number {
  return Number(/-(\d+)$/.exec(metadata.name)?.[1] ?? 0);
}

export const mappings = (value: Json): readonly Readonly<Record<string, Json>>[] =>
  Array.isArray(value) ? value.filter(isMapping) : [];
