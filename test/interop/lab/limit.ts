/** How long something may take. */

/** @throws Error when `work` is not done by then; it may go on behind our back. */
export async function within(limitMs: number, work: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`not done within ${limitMs / 1_000} s`)), limitMs);
  await Promise.race([work, late.promise]).finally(() => clearTimeout(timer));
}
