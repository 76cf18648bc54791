/** Waiting until what is asked of a local cluster is so. */
import type { Clock } from '../clock.ts';
import type { ObjectStore } from './object-store.ts';

const LOOK_AGAIN_MS = 100;

interface Awaited<T> {
  /** For whoever waits in vain. */
  readonly what: string;
  readonly question: () => T | Promise<T>;
  readonly timeoutMs: number;
}

/** The first answer that is neither undefined nor false; asked now, at every change and every 100 ms. Rejects when there is none in time. */
export async function awaitChange<T>(
  { what, question, timeoutMs }: Awaited<T>,
  store: ObjectStore,
  clock: Clock,
): Promise<Exclude<T, undefined | false>> {
  const until = clock.elapsed() + timeoutMs;
  for (;;) {
    const answer = await question();
    if (isAnswer(answer)) return answer;
    if (clock.elapsed() > until) throw new Error(`waited ${timeoutMs / 1000} s in vain for: ${what}`);
    await change(store, clock);
  }
}

function change(store: ObjectStore, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      cancel();
      unlisten();
      resolve();
    };
    const cancel = clock.after(LOOK_AGAIN_MS, end);
    const unlisten = store.watch(() => setImmediate(end));
  });
}

const isAnswer = <T>(answer: T): answer is Exclude<T, undefined | false> => answer !== undefined && answer !== false;
