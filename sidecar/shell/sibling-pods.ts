/** The sibling pods: where they are, how to ask them, and whether one has a later key ring than we. */
import type { GatewayConfig } from '../contract/gateway-config.ts';
import type { KeyRing } from '../contract/key-ring.ts';
import type { Bytes } from '../ike/wire/bytes.ts';
import { PeerAddresses, type Resolve } from './peer-addresses.ts';
import { siblingsAhead } from './peer-generations.ts';
import { PeerClient } from './peers.ts';

export class SiblingPods {
  readonly #ordinal: number;
  readonly #addresses: PeerAddresses;
  /** By ordinal, and each has limits of its own. */
  readonly #clients = new Map<number, PeerClient>();
  readonly #asking = new Set<Promise<unknown>>();
  #listen: GatewayConfig['listen'] | undefined;

  constructor(ordinal: number, resolve?: Resolve) {
    this.#ordinal = ordinal;
    this.#addresses = new PeerAddresses(resolve);
  }

  /** Done when their names are resolved, or could not be. */
  async configure({ peers, listen }: GatewayConfig): Promise<void> {
    this.#listen = listen;
    await this.#addresses.configure({ ...peers, self: this.#ordinal });
  }

  /** Undefined: none there, none known, or silent. */
  async ask(ordinal: number, bytes: Bytes): Promise<Bytes | undefined> {
    const address = this.#addresses.of(ordinal);
    if (address === undefined || !this.#listen) return undefined;
    const asking = this.#client(ordinal).ask(address, this.#listen.peerPort, bytes);
    this.#asking.add(asking);
    return asking.finally(() => this.#asking.delete(asking));
  }

  /** Done when all questions that are under way have their answer or none. */
  async settled(): Promise<void> {
    await Promise.all(this.#asking);
  }

  /** Ordinals of the siblings that have a later generation of this ring. */
  async ahead(ring: KeyRing): Promise<readonly number[]> {
    const httpPort = this.#listen?.httpPort ?? 0;
    const known = this.#addresses.siblings().flatMap((ordinal) => {
      const address = this.#addresses.of(ordinal);
      return address === undefined ? [] : [{ ordinal, address, httpPort }];
    });
    return siblingsAhead(ring, known);
  }

  close(): void {
    this.#addresses.close();
    for (const client of this.#clients.values()) client.close();
  }

  #client(ordinal: number): PeerClient {
    const known = this.#clients.get(ordinal) ?? new PeerClient();
    this.#clients.set(ordinal, known);
    return known;
  }
}
