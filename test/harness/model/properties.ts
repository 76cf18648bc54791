/** What holds of every schedule, as properties: for the test with few runs and for `npm run fuzz` with many. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { MovingTable } from './moving-table.ts';
import { perform } from './scene.ts';
import { type Schedule, schedules } from './schedule.ts';

/** Gateways and clients keep what the reference model says. */
export const promises = (length: number) =>
  fc.property(schedules(length), (schedule) => {
    perform(schedule);
  });

/** An SA is plain data: encoded and decoded after every input it goes on as if nothing had happened. */
export const moves = (length: number) =>
  fc.property(schedules(length), (schedule) => {
    const moved = perform(schedule, () => new MovingTable());
    if (isRepeatable(schedule)) same(perform(schedule), moved);
  });

/** There is no clock, no randomness and no order of anything but what is handed in. */
export const repeats = (length: number) =>
  fc.property(schedules(length).filter(isRepeatable), (schedule) => same(perform(schedule), perform(schedule)));

/** ML-KEM's encapsulation draws randomness of its own: OpenSSL takes none. */
const isRepeatable = ({ setting }: Schedule): boolean => !setting.postQuantum;

/** Of two runs. */
export function same(one: readonly string[], other: readonly string[]): void {
  const at = one.findIndex((line, index) => line !== other[index]);
  assert(at === -1, `step ${at}: ${one[at]} is not ${other[at]}`);
  assert.equal(other.length, one.length);
}
