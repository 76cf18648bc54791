/** The clock of the core: milliseconds since the epoch that never go back, because an SA's timers count on it. */
import { performance } from 'node:perf_hooks';
import type { Instant } from '../ike/sa.ts';

export type Clock = () => Instant;

/** Follows the wall clock forward at once; when that is set back, runs at half speed until it has caught up. */
export function systemClock(wall: () => number = Date.now, steady: () => number = () => performance.now()): Clock {
  let [now, read] = [wall(), steady()];
  return () => {
    const passed = steady() - read;
    read += passed;
    now = Math.max(wall(), now + passed / 2);
    return Math.floor(now) as Instant;
  };
}
