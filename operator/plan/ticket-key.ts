/** The plan for a TicketKey. */
import type { Plan, TicketKeyObserved } from './plan.ts';

export function planTicketKey(_observed: TicketKeyObserved): Plan {
  throw new Error('not written yet');
}
