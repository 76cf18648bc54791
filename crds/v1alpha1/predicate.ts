/** A validation rule in TypeScript. */

/** Whether the value obeys. `old` is what it was before an update. */
export type Predicate = (self: unknown, old: unknown) => boolean;

/** The schema has been checked where the rule stands, so the value has the type that the schema gives it. */
export function rule<T>(predicate: (self: T, old: T | undefined) => boolean): Predicate {
  return (self, old) => predicate(self as T, old as T | undefined);
}
