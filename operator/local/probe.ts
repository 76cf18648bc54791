/** A probe as the kubelet makes it: over HTTP, again and again, with so many failures in a row before it counts. */
import type { Clock } from '../clock.ts';
import { ask } from '../pod-question.ts';
import type { Probe } from './container.ts';

export interface Probing {
  readonly probe: Probe;
  readonly address: string;
  readonly clock: Clock;
  /** Asked each time. */
  readonly pollMs: () => number;
  /** The answer after each round, except while failures do not count yet. */
  readonly told: (good: boolean) => void;
}

const TIMEOUT_MS = 1_000;

/** Answers how to end it; nothing is told after that. */
export function keepProbing({ probe, address, clock, pollMs, told }: Probing): () => void {
  let ended = false;
  let failures = 0;
  const round = async () => {
    const answer = await ask(address, probe.port, probe.path, TIMEOUT_MS);
    if (ended) return;
    failures = answer && answer.status >= 200 && answer.status < 400 ? 0 : failures + 1;
    if (failures === 0 || failures >= probe.failureThreshold) told(failures === 0);
    again();
  };
  let cancel = (): void => {};
  const again = () => {
    if (!ended) cancel = clock.after(pollMs(), () => void round());
  };
  again();
  return () => {
    ended = true;
    cancel();
  };
}
