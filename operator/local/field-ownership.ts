/** Server-side apply in small: fields that a manager no longer names go, those that it names come, all others stay. Lists are atomic. */

export type Json = unknown;

type Mapping = Readonly<Record<string, Json>>;

/** `previous` is what the same manager applied last. */
export function applyFields(live: Json, previous: Json, next: Json): Json {
  if (!isMapping(next)) return next;
  const kept = isMapping(live) ? live : {};
  const owned = isMapping(previous) ? previous : {};
  const merged: Record<string, Json> = {};
  for (const [name, value] of Object.entries(kept)) {
    if (!(name in owned) || name in next) merged[name] = value;
    else if (isMapping(value) && isMapping(owned[name])) keepForeign(merged, name, value, owned[name]);
  }
  for (const [name, value] of Object.entries(next)) merged[name] = applyFields(kept[name], owned[name], value);
  return merged;
}

/** RFC 7396: null removes, mappings merge, everything else replaces. */
export function mergePatch(live: Json, patch: Json): Json {
  if (!isMapping(patch)) return patch;
  const merged: Record<string, Json> = isMapping(live) ? { ...live } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else if (value !== undefined) merged[name] = mergePatch(merged[name], value);
  }
  return merged;
}

/** A mapping that the manager gave up may hold fields of others. */
function keepForeign(merged: Record<string, Json>, name: string, value: Mapping, owned: Mapping): void {
  const rest = applyFields(value, owned, {});
  if (isMapping(rest) && Object.keys(rest).length > 0) merged[name] = rest;
}

export const isMapping = (value: Json): value is Mapping => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The same JSON, whatever the order of its fields; a field that is undefined is not there. */
export function sameJson(a: Json, b: Json): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, index) => sameJson(item, b[index]));
  if (!isMapping(a) || !isMapping(b)) return false;
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].every((name) => sameJson(a[name], b[name]));
}
