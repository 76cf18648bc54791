/** A data plane whose children are counted a last time before they go: for accounting. */
import type { Dataplane, LastTraffic, Traffic } from '../dataplane/dataplane.ts';

/** `counted`: as far as is known when the child is removed. `more`: the last word, where that comes later; never rejects. */
export type OnLastTraffic = (spiIn: number, counted: Traffic, more: Promise<Traffic> | undefined) => void;

/** In the place of `order` of a data plane. */
export const withLastTraffic =
  (port: Pick<Dataplane, 'order' | 'traffic'>, last: OnLastTraffic): Dataplane['order'] =>
  (order) => {
    const known = order.order === 'remove' ? port.traffic(order.spiIn) : undefined;
    const done = port.order(order);
    if (order.order !== 'remove' || !known) return done;
    if (!(done instanceof Promise)) last(order.spiIn, done ?? known, undefined);
    else last(order.spiIn, known, lastWord(done, known));
    return done;
  };

const lastWord = async (done: Promise<LastTraffic>, known: Traffic): Promise<Traffic> => {
  try {
    return (await done) ?? known;
  } catch {
    // Whoever gave the order hears of it.
    return known;
  }
};
