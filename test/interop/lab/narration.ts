/** A scenario's own account: the steps that it took, what it measured on the way. */
import { setTimeout as pause } from 'node:timers/promises';
import { PATIENCE_MS } from './program.ts';

export class Narration {
  readonly steps: string[] = [];
  readonly notes: string[] = [];

  /** What is to be seen next; its words stand in the report. */
  async step<T>(what: string, act: () => Promise<T>): Promise<T> {
    this.steps.push(what);
    return act();
  }

  /** What was measured; stands in the report too, and nothing depends on it. */
  note(what: string): void {
    this.notes.push(what);
  }

  /** Repeats what nobody announces until it does not throw. */
  async eventually<T>(act: () => Promise<T>): Promise<T> {
    for (const deadline = performance.now() + PATIENCE_MS; ; await pause(50)) {
      try {
        return await act();
      } catch (error) {
        if (performance.now() > deadline) throw error;
      }
    }
  }
}
