/** Time, chance and a network of RADIUS servers whose strings a test holds. */
import type { Answered, Dropped, RadiusObserver, Unanswered } from '../../../sidecar/radius/observer.ts';
import type { RadiusPorts } from '../../../sidecar/radius/ports.ts';
import { Server, type ServerOptions } from '../../../sidecar/radius/server.ts';
import { FakeClock } from '../../harness/fake-clock.ts';
import { type Script, ScriptedServer } from './scripted-server.ts';

export const SECRET = Buffer.from('a long shared secret');

export class RadiusWorld {
  readonly clock = new FakeClock();
  /** By `address:port`. */
  readonly servers = new Map<string, ScriptedServer>();
  readonly names = new Map<string, string>();
  readonly seen: string[] = [];
  sockets = 0;
  /** What else arrives at the socket that sends: forged, late, twice. */
  noise: (answer: Uint8Array) => readonly Uint8Array[] = (answer) => [answer];
  #random = 0;

  readonly ports: RadiusPorts = {
    clock: () => this.clock.now(),
    after: (ms, run) => this.clock.after(ms, run),
    random: (length) => Uint8Array.from({ length }, () => (this.#random = (this.#random + 101) & 0xff)),
    resolve: async (host) => this.names.get(host) ?? Promise.reject(new Error('unknown host')),
    connect: (address, port, receive) => {
      this.sockets += 1;
      let open = true;
      return {
        send: (datagram) => {
          const answer = this.servers.get(`${address}:${port}`)?.receive(datagram);
          const all = answer ? this.noise(answer) : [];
          queueMicrotask(() => {
            if (open) for (const one of all) receive(one);
          });
        },
        close: () => {
          open = false;
          this.sockets -= 1;
        },
      };
    },
    observer: this.#observer(),
  };

  /** A scripted server, and ours of it. */
  server(address: string, script: Script, options: Partial<ServerOptions> = {}): { server: Server; scripted: ScriptedServer } {
    const scripted = new ScriptedServer(SECRET, script);
    this.servers.set(`${address}:1812`, scripted);
    return { server: this.client(address, options), scripted };
  }

  client(host: string, options: Partial<ServerOptions> = {}): Server {
    const { ports } = this;
    const rest = { timeoutMs: 1_000, attempts: 3, nasIdentifier: 'gateway', ...options };
    return new Server({ ports, host, port: 1812, secret: SECRET, ...rest });
  }

  #observer(): RadiusObserver {
    return {
      configured: () => {},
      answered: (server: string, outcome: Answered) => this.seen.push(`${server} ${outcome}`),
      unanswered: (server: string, outcome: Unanswered) => this.seen.push(`${server} ${outcome}`),
      dropped: (server: string, reason: Dropped) => this.seen.push(`${server} dropped ${reason}`),
      passedOver: (server: string, yes: boolean) => this.seen.push(`${server} ${yes ? 'passed over' : 'in use'}`),
      lost: (records: number) => this.seen.push(`lost ${records}`),
    };
  }
}
