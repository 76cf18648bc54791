/** The plan that leaves everything as it is. */
import type { Plan } from './plan.ts';

export const NOTHING: Plan = {
  guarded: [],
  apply: [],
  remove: [],
  evict: [],
  forceDelete: [],
  touch: [],
  finalizer: undefined,
  status: undefined,
  events: [],
  checkAgainAt: undefined,
};
