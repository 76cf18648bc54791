/** Whether one more question may go to a sibling pod: so many at a time, and one at a time to a sibling that was silent just now. */
import type { Clock } from './clock.ts';

const MOST_IN_FLIGHT = 64;
/** Since a silence, unless it is heard again. A question that would wait half a second for nothing is better answered by nobody at once. */
const SILENT_MS = 1_000;

export class PeerAdmission {
  readonly #clock: Clock;
  #inFlight = 0;
  #silentUntil = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Each that may go in has to leave again. */
  enter(): boolean {
    const most = this.#clock() < this.#silentUntil ? 1 : MOST_IN_FLIGHT;
    if (this.#inFlight >= most) return false;
    this.#inFlight++;
    return true;
  }

  /** `heard`: the sibling said anything at all. */
  leave(heard: boolean): void {
    this.#inFlight--;
    this.#silentUntil = heard ? Number.NEGATIVE_INFINITY : this.#clock() + SILENT_MS;
  }
}
