/** The TUN interface of a client: follows the session, whose inner addresses and routes may change when it comes back. */
import { openTun, type Tun } from '../dataplane/userspace/tun.ts';
import type { Bytes } from '../ike/wire/bytes.ts';
import { splitEndpoint } from '../shell/endpoint.ts';
import type { Established } from './client.ts';
import { type OuterRoute, pinOuterRoute, withoutDefault } from './outer-route.ts';

export interface TunnelOptions {
  readonly name: string;
  /** Takes what the kernel routes into the tunnel. */
  readonly transmit: (packet: Bytes) => void;
  /** The device or its routes failed; told with the remedy. */
  readonly failed: (error: Error) => void;
}

export class Tunnel {
  readonly #options: TunnelOptions;
  #work: Promise<void> = Promise.resolve();
  #tun: Tun | undefined;
  #outer: OuterRoute | undefined;
  #shape = '';

  constructor(options: TunnelOptions) {
    this.#options = options;
  }

  /** Makes the interface what this session needs. */
  follow(session: Established): void {
    this.#then(async () => {
      const shape = JSON.stringify([session.inner, session.routes, splitEndpoint(session.gateway).address]);
      if (this.#tun && shape === this.#shape) return;
      await this.#close();
      await this.#open(session);
      this.#shape = shape;
    });
  }

  deliver(packet: Bytes): void {
    this.#tun?.write(packet);
  }

  close(): Promise<void> {
    this.#then(() => this.#close());
    return this.#work;
  }

  /** One after the other. */
  #then(task: () => Promise<void>): void {
    this.#work = this.#work
      .then(task)
      .catch((error: unknown) => this.#options.failed(error instanceof Error ? error : new Error(String(error))));
  }

  async #open({ inner, routes, gateway }: Established): Promise<void> {
    const { name, transmit, failed } = this.#options;
    // The inner addresses of one version of IP alone are no source for the other.
    const usable = routes.filter((route) => inner.some((address) => address.includes(':') === route.includes(':')));
    this.#outer = await pinOuterRoute(splitEndpoint(gateway).address, usable);
    const addresses = inner.map((address) => `${address}/${address.includes(':') ? 128 : 32}`);
    this.#tun = await openTun({ name, addresses, routes: usable.flatMap(withoutDefault), receive: transmit, failed });
  }

  async #close(): Promise<void> {
    const [tun, outer] = [this.#tun, this.#outer];
    this.#tun = undefined;
    this.#outer = undefined;
    await tun?.close();
    await outer?.remove();
  }
}
