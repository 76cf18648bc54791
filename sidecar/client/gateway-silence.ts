/** How long the gateway may be silent: for each answer until the session is there, and then while traffic goes out (RFC 7296 §2.4). */
import type { Instant } from '../ike/sa.ts';
import type { ClientPorts } from './ports.ts';

/** The gateway may have to ask a server far away. */
const EAP_PATIENCE_MS = 10_000;

interface SilenceOptions {
  readonly patienceMs: number;
  readonly deadPeerMs: number;
  /** There was no answer, and no session. */
  readonly unanswered: () => void;
  /** There is a session, and nothing answers its traffic. */
  readonly doubtful: () => void;
}

export class GatewaySilence {
  readonly #ports: Pick<ClientPorts, 'clock' | 'after'>;
  readonly #options: SilenceOptions;
  readonly #timers = new Map<'patience' | 'doubt', () => void>();
  #heardAt: Instant;
  #conversing = false;

  constructor(ports: Pick<ClientPorts, 'clock' | 'after'>, options: SilenceOptions) {
    this.#ports = ports;
    this.#options = options;
    this.#heardAt = ports.clock();
  }

  /** Since the last authentic packet of the gateway. */
  get ms(): number {
    return this.#ports.clock() - this.#heardAt;
  }

  /** EAP has begun. */
  conversing(): void {
    this.#conversing = true;
  }

  /** A message has gone out that the session waits for the answer of. */
  asked(): void {
    this.#cancel('patience');
    const { patienceMs, unanswered } = this.#options;
    this.#arm('patience', this.#conversing ? Math.max(patienceMs, EAP_PATIENCE_MS) : patienceMs, unanswered);
  }

  established(): void {
    this.heard();
    this.#cancel('patience');
  }

  heard(): void {
    this.#heardAt = this.#ports.clock();
    this.#cancel('doubt');
  }

  /** Traffic went out. */
  sent(): void {
    const { deadPeerMs, doubtful } = this.#options;
    if (!this.#timers.has('doubt')) this.#arm('doubt', deadPeerMs / 5, doubtful);
  }

  stop(): void {
    for (const cancel of this.#timers.values()) cancel();
  }

  #arm(timer: 'patience' | 'doubt', ms: number, run: () => void): void {
    const cancel = this.#ports.after(ms, () => {
      this.#timers.delete(timer);
      run();
    });
    this.#timers.set(timer, cancel);
  }

  #cancel(timer: 'patience' | 'doubt'): void {
    this.#timers.get(timer)?.();
    this.#timers.delete(timer);
  }
}
