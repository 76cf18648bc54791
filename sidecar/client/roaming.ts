/** Notices that our way to the gateway begins at another address: asks the routes again and again, which sends nothing (RFC 4555 §3.5). */
import type { ClientPorts, SocketRequest } from './ports.ts';

interface RoamingOptions {
  readonly towards: SocketRequest['towards'];
  /** The address that we use now. */
  readonly local: () => string;
  readonly moved: () => Promise<void>;
}

const EVERY_MS = 1_000;

export class Roaming {
  readonly #ports: Pick<ClientPorts, 'after' | 'sourceTowards'>;
  readonly #options: RoamingOptions;
  #stopped = false;
  #cancel = (): void => {};

  constructor(ports: Pick<ClientPorts, 'after' | 'sourceTowards'>, options: RoamingOptions) {
    this.#ports = ports;
    this.#options = options;
  }

  start(): void {
    if (this.#ports.sourceTowards) this.#wait();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #wait(): void {
    if (!this.#stopped) this.#cancel = this.#ports.after(EVERY_MS, () => void this.#look());
  }

  async #look(): Promise<void> {
    const { towards, local, moved } = this.#options;
    try {
      const address = await this.#ports.sourceTowards?.(towards);
      if (address !== undefined && address !== local() && !this.#stopped) await moved();
    } catch {
      // No way to the gateway at all: perhaps there is one at the next look; silence in between ends the session by itself.
    }
    this.#wait();
  }
}
