/** An agent without a socket: it says what the test says, and carries out every order at once. */
import type { DataplaneOrder } from '../../../sidecar/contract/dataplane.ts';
import type { AgentConnectionOptions, Welcome } from '../../../sidecar/dataplane/agent/agent-connection.ts';
import { createLog } from '../../../sidecar/process/log.ts';
import { AgentLink, type ConnectAgent } from '../../../sidecar/shell/agent-link.ts';

export const welcome: Welcome = { type: 'welcome', protocol: 1, dataplane: 'kernel', mtu: 1_400, isolateClients: false };

type Line = Readonly<Record<string, unknown>>;

export class StandInAgent {
  readonly orders: DataplaneOrder[] = [];
  readonly lines: Line[] = [];
  closed = false;
  tun = (): Promise<readonly number[]> => Promise.reject(new Error('no TUN device here'));
  /** What `settle` answers. */
  settled: Promise<void> = Promise.resolve();
  #handlers: AgentConnectionOptions | undefined;

  readonly connect: ConnectAgent = (options) => {
    this.#handlers = options;
    return {
      request: async (orders) => {
        this.orders.push(...orders);
        return orders.map(() => ({ ok: true }));
      },
      settle: () => this.settled,
      tun: () => this.tun(),
      close: async () => {
        this.closed = true;
      },
    };
  };

  /** What the connection calls. */
  get handlers(): AgentConnectionOptions {
    if (!this.#handlers) throw new Error('nobody is connected');
    return this.#handlers;
  }

  link(changed: () => void = () => {}): AgentLink {
    const write = (line: string): void => void this.lines.push(JSON.parse(line));
    const log = createLog({ level: 'info', base: {}, to: { write } });
    return new AgentLink({ connect: this.connect, path: '/run/agent.sock', incarnation: new Uint8Array(16), log, changed });
  }
}
