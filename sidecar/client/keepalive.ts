/** NAT keepalives (RFC 3948 §2.3, §4): one byte when nothing else has been sent for a while. A service in front of the gateway's pods is a NAT too. */
import type { ClientPorts } from './ports.ts';

export class Keepalive {
  readonly #ports: Pick<ClientPorts, 'clock' | 'after'>;
  readonly #everyMs: number;
  readonly #send: () => void;
  #sentAt = 0;
  #cancel: (() => void) | undefined;

  constructor(ports: Pick<ClientPorts, 'clock' | 'after'>, everyMs: number, send: () => void) {
    this.#ports = ports;
    this.#everyMs = everyMs;
    this.#send = send;
  }

  start(): void {
    if (this.#everyMs > 0 && !this.#cancel) this.#wait(this.#everyMs);
  }

  /** Something else was sent. */
  sent(): void {
    this.#sentAt = this.#ports.clock();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #wait(ms: number): void {
    this.#cancel = this.#ports.after(ms, () => this.#due());
  }

  #due(): void {
    const idleMs = this.#ports.clock() - this.#sentAt;
    if (idleMs >= this.#everyMs) {
      this.#send();
      this.sent();
    }
    this.#wait(idleMs >= this.#everyMs ? this.#everyMs : this.#everyMs - idleMs);
  }
}
