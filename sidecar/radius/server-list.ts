/** Servers in the order in which they are asked: one that is silent makes way for the next. */
import type { Answer, Request, Server } from './server.ts';

export interface Found extends Answer {
  readonly server: Server;
}

export class ServerList {
  readonly #servers: readonly Server[];

  constructor(servers: readonly Server[]) {
    this.#servers = servers;
  }

  get isEmpty(): boolean {
    return this.#servers.length === 0;
  }

  /** Of the first server that answers; undefined when none does, or nobody waits any more. */
  async ask(request: Request, signal?: AbortSignal): Promise<Found | undefined> {
    const tried = new Set<Server>();
    for (let server = this.#next(tried); server && !signal?.aborted; server = this.#next(tried)) {
      tried.add(server);
      const answer = await server.ask(request, signal);
      if (answer) return { ...answer, server };
    }
    return undefined;
  }

  close(): void {
    for (const server of this.#servers) server.close();
  }

  /** One that is passed over is still better than none. */
  #next(tried: ReadonlySet<Server>): Server | undefined {
    const left = this.#servers.filter((server) => !tried.has(server));
    return left.find((server) => server.usable) ?? left[0];
  }
}
