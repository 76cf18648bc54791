/** What children have carried by the word of the agent. No count ever falls, also when a child had to be installed anew and its counters began at zero. */
import type { CarriedTraffic } from '../../contract/agent-protocol.ts';
import type { ChildTraffic, Traffic } from '../dataplane.ts';
import { NO_TRAFFIC, plus } from '../userspace/traffic.ts';

interface Entry {
  /** Before its counters last began at zero. */
  readonly before: Traffic;
  readonly now: Traffic;
}

const NEW: Entry = { before: NO_TRAFFIC, now: NO_TRAFFIC };

export class TrafficLedger {
  readonly #entries = new Map<number, Entry>();
  /** Of children that are gone. */
  #past: Traffic = NO_TRAFFIC;

  begin(spiIn: number): void {
    if (!this.#entries.has(spiIn)) this.#entries.set(spiIn, NEW);
  }

  /** Of children that are not there nothing is kept. */
  hear(children: readonly CarriedTraffic[]): void {
    for (const { spiIn, ...now } of children) {
      const entry = this.#entries.get(spiIn);
      if (entry) this.#entries.set(spiIn, hasBegunAnew(entry.now, now) ? { before: sum(entry), now } : { ...entry, now });
    }
  }

  /** The last word on a child, after which it is forgotten; undefined when it was not there. */
  end(spiIn: number): Traffic | undefined {
    const last = this.of(spiIn);
    if (last) this.#past = plus(this.#past, last);
    this.#entries.delete(spiIn);
    return last;
  }

  of(spiIn: number): Traffic | undefined {
    const entry = this.#entries.get(spiIn);
    return entry && sum(entry);
  }

  children(): readonly ChildTraffic[] {
    return Array.from(this.#entries, ([spiIn, entry]) => ({ spiIn, ...sum(entry) }));
  }

  totals(): Traffic {
    return this.children().reduce(plus, this.#past);
  }
}

const sum = ({ before, now }: Entry): Traffic => (before === NO_TRAFFIC ? now : plus(before, now));

const hasBegunAnew = (before: Traffic, now: Traffic): boolean =>
  now.packetsIn < before.packetsIn || now.packetsOut < before.packetsOut;
