/** The child that a session is there for: one that began without (RFC 6023) is told of when it has its child. */
import type { Event } from '../ike/step.ts';

export class AwaitedChild {
  readonly #childless: boolean;
  readonly #tell: (event: Event) => void;
  #state: 'none' | 'asked' | 'refused' = 'none';
  /** That the session is established. */
  #untold: Event | undefined;

  /** `childless`: the session is to begin without. */
  constructor(childless: boolean, tell: (event: Event) => void) {
    this.#childless = childless;
    this.#tell = tell;
  }

  /** Tells the event, in its time. */
  observe(event: Event): void {
    if (event.name === 'refused' && this.#state === 'asked') this.#state = 'refused';
    // A session that carries nothing yet is not told of.
    if (event.name === 'established' && this.#childless) this.#untold = event;
    else this.#tell(event);
    if (event.name === 'child-installed' && this.#untold) {
      const held = this.#untold;
      this.#untold = undefined;
      this.#tell(held);
    }
  }

  /** There is an IKE SA and no child. RFC 6023 §4: it is asked for once we know each other, when that is what was wanted; else it was refused. */
  missing(): 'ask' | 'wait' | 'give up' {
    if (!this.#childless || this.#state === 'refused') return 'give up';
    if (this.#state === 'asked') return 'wait';
    this.#state = 'asked';
    return 'ask';
  }
}
