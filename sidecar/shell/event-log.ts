/** Writes the events of the core to the log; what strangers can cause is held back when it comes in floods. */
import type { Event } from '../ike/step.ts';
import type { Log } from '../process/log.ts';
import { RateLimit } from '../process/rate-limit.ts';
import { eventLine, levelOf } from './event-line.ts';

const WARNINGS = 20;
const PER_MS = 10_000;

/** `now` in milliseconds. */
export function eventLog(log: Log, now: () => number): (event: Event) => void {
  const limits = new Map<Event['name'], RateLimit>();
  const pass = (name: Event['name']): number | undefined => {
    const limit = limits.get(name) ?? new RateLimit(WARNINGS, PER_MS);
    limits.set(name, limit);
    return limit.pass(now());
  };
  return (event) => {
    // Most of what happens is for debug logs; it is not put into words for nobody.
    if (!log.isLevelEnabled(levelOf(event))) return;
    const line = eventLine(event);
    if (!line) return;
    const heldBack = line.level === 'warn' || line.level === 'error' ? pass(event.name) : 0;
    if (heldBack !== undefined)
      log[line.level]({ event: event.name, ...line.fields, ...(heldBack > 0 && { heldBack }) }, line.message);
  };
}
