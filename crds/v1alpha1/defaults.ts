/** Fills in what a manifest leaves out, as the API server does with a structural schema. */
import type { Schema } from './schema.ts';

/** A copy with the schema's defaults. What does not fit the schema stays as it is, for validation to report. */
export function withDefaults(schema: Schema, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => withDefaults(schema.items ?? {}, item));
  if (!isMapping(value)) return value;
  if (schema.additionalProperties) return mapValues(value, schema.additionalProperties);
  const filled: Record<string, unknown> = { ...value };
  for (const [name, member] of Object.entries(schema.properties ?? {})) {
    // null is as good as absent where there is a default
    const given = filled[name] ?? (member.default === undefined ? filled[name] : structuredClone(member.default));
    if (given !== undefined) filled[name] = withDefaults(member, given);
  }
  return filled;
}

export const isMapping = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const mapValues = (value: Readonly<Record<string, unknown>>, schema: Schema): Record<string, unknown> =>
  Object.fromEntries(Object.entries(value).map(([name, part]) => [name, withDefaults(schema, part)]));
