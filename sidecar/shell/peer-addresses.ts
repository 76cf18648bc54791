/** Where the sibling pods are: names are resolved in the background and the last known addresses kept, so that no packet ever waits for DNS. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';

export interface PeerNames {
  /** With `{ordinal}` in it. */
  readonly host: string;
  readonly replicas: number;
  /** Our own ordinal: nobody asks itself. */
  readonly self: number;
}

export type Resolve = (host: string) => Promise<string>;
const RESOLVE_MS = 5_000;
const systemResolve: Resolve = async (host) => (await lookup(host)).address;

export class PeerAddresses {
  readonly #resolve: Resolve;
  readonly #known = new Map<number, string>();
  readonly #timer: NodeJS.Timeout;
  #names: PeerNames | undefined;

  constructor(resolve: Resolve = systemResolve) {
    this.#resolve = resolve;
    this.#timer = setInterval(() => void this.refresh(), RESOLVE_MS).unref();
  }

  /** Done when the names are resolved, or could not be. */
  async configure(names: PeerNames): Promise<void> {
    const moved = this.#names?.host !== names.host;
    this.#names = names;
    if (moved) this.#known.clear();
    await this.refresh();
  }

  of(ordinal: number): string | undefined {
    return this.#known.get(ordinal);
  }

  /** Ordinals of the siblings that there should be. */
  siblings(): readonly number[] {
    if (!this.#names) return [];
    const { replicas, self } = this.#names;
    return Array.from({ length: replicas }, (_, ordinal) => ordinal).filter((ordinal) => ordinal !== self);
  }

  /** A name that does not resolve just now keeps its address: the pod may be there, and DNS not. */
  async refresh(): Promise<void> {
    const names = this.#names;
    if (!names) return;
    for (const ordinal of this.#known.keys()) if (ordinal >= names.replicas) this.#known.delete(ordinal);
    await Promise.all(
      this.siblings().map(async (ordinal) => {
        const host = names.host.replaceAll('{ordinal}', String(ordinal));
        const address = isIP(host) ? host : await this.#resolve(host).catch(() => undefined);
        if (address !== undefined && this.#names === names) this.#known.set(ordinal, address);
      }),
    );
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
