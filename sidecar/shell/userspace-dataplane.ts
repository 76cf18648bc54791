/** ESP in this process: in a thread of its own where inner packets have a device, else for the gateway's own inner addresses alone. */
import { closeSync } from 'node:fs';
import { parsePrefix } from '../contract/address.ts';
import type { Problem } from '../contract/agent-protocol.ts';
import type { GatewayConfig } from '../contract/gateway-config.ts';
import type { Dataplane } from '../dataplane/dataplane.ts';
import { startEspThread } from '../dataplane/esp-thread/esp-thread.ts';
import { Tun } from '../dataplane/userspace/tun.ts';
import type { TunInterface } from '../dataplane/userspace/tun-interface.ts';
import { loadTunSyscalls } from '../dataplane/userspace/tun-syscalls.ts';
import { UserspaceDataplane, type UserspaceSettings } from '../dataplane/userspace.ts';
import { formatAddress } from '../ike/ip-address.ts';
import type { Bytes } from '../ike/wire/bytes.ts';
import type { DataplaneOptions, GatewayDataplane } from './gateway-dataplane.ts';
import { madeByAgent, madeHere, type OpenDevice } from './inner-device.ts';

/** Between two attempts to get the device of an agent. */
const AGAIN_MS = 3_000;

export class UserspaceGateway implements Omit<GatewayDataplane, 'kind'> {
  readonly port: GatewayDataplane['port'];
  readonly #options: DataplaneOptions;
  readonly #within: UserspaceDataplane;
  #config: GatewayConfig;
  #running: Running;
  #tun: Tun | undefined;
  #problem: string | undefined;
  #again: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: DataplaneOptions) {
    const { config, crypto, random, send } = options;
    this.#options = options;
    this.#config = config;
    const within = new UserspaceDataplane({
      ...settings(config, options),
      ...{ crypto, random, send, forward: true },
      ...(openDevice(options) && { deliver: (inner) => void this.#tun?.write(inner) }),
    });
    this.#within = within;
    this.#running = { carrier: within, configure: (next) => within.configure(next), close: async () => within.close() };
    this.port = {
      order: (order) => this.#running.carrier.order(order),
      // With a thread nothing comes here, or what no child carries.
      receive: (packet, path) => within.receive(packet, path),
      reports: () => this.#running.carrier.reports(),
      settle: () => this.#running.carrier.settle(),
      stats: () => this.#running.carrier.stats(),
      traffic: (spiIn) => this.#running.carrier.traffic(spiIn),
      close: () => this.#running.carrier.close(),
    };
  }

  problems(): readonly Problem[] {
    return this.#problem === undefined ? [] : [{ severity: 'blocking', text: this.#problem }];
  }

  async open(): Promise<void> {
    const { agent } = this.#options;
    const open = openDevice(this.#options);
    if (open && agent) await this.#beginWithAgent(open);
    else if (open) await this.#begin(open);
    // A later agent may say something else of clients among themselves.
    const configure = (): void => this.configure(this.#config);
    agent?.use({ children: () => [], welcomed: configure, lost: () => {}, hear: () => {}, count: () => {} });
  }

  configure(config: GatewayConfig): void {
    this.#config = config;
    this.#running.configure(settings(config, this.#options));
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#again);
    await this.#running.close();
  }

  async #beginWithAgent(open: OpenDevice): Promise<void> {
    try {
      await this.#begin(open);
      this.#problem = undefined;
    } catch (error) {
      this.#problem = error instanceof Error ? error.message : String(error);
      if (this.#closed) return;
      this.#again = setTimeout(() => void this.#beginWithAgent(open), AGAIN_MS);
    }
    this.#options.changed();
  }

  async #begin(open: OpenDevice): Promise<void> {
    const device = await open();
    const deviceGone = (error: Error): void => this.#lose(error);
    const set = settings(this.#config, this.#options);
    const thread = await inThread(device, set, deviceGone, this.#options).catch((error: unknown) => {
      closeSync(device);
      throw error;
    });
    const running = thread ?? (await this.#here(device));
    // Closing does not wait for a device that an agent may be long in giving.
    if (this.#closed) await running.close();
    else this.#running = running;
  }

  /** A gateway that goes on without it takes clients and carries nothing for them. */
  #lose({ message }: Error): void {
    this.#problem = `${message} Start this process anew: its sessions come back by their tickets`;
    this.#options.changed();
  }

  /** Where the platform has no such thread. */
  async #here(device: number): Promise<Running> {
    const { udp, active, failed } = this.#options;
    udp.takeEsp();
    const receive = (inner: Bytes): void => {
      this.#within.transmit(inner);
      active();
    };
    const tun = new Tun(device, await loadTunSyscalls(), {
      name: 'of inner packets',
      addresses: [],
      routes: [],
      receive,
      failed,
    });
    this.#tun = tun;
    return {
      ...this.#running,
      close: async () => {
        this.#within.close();
        await tun.close();
      },
    };
  }
}

interface Running {
  readonly carrier: Dataplane;
  configure(settings: UserspaceSettings): void;
  close(): Promise<void>;
}

/** Undefined where the platform has no such thing. */
async function inThread(
  device: number,
  settings: UserspaceSettings,
  deviceGone: (error: Error) => void,
  { config, udp, active, failed }: DataplaneOptions,
): Promise<Running | undefined> {
  const sockets = udp.espSockets;
  if (!sockets) return undefined;
  const { crypto } = config;
  const thread = await startEspThread({ sockets, tun: [device], settings, crypto, forward: true, active, failed, deviceGone });
  if (!thread) return undefined;
  return {
    carrier: thread,
    configure: (next) => thread.configure(next),
    async close() {
      thread.close();
      await thread.ended;
      closeSync(device);
    },
  };
}

/** Undefined: inner packets leave this process nowhere. */
function openDevice({ agent, tun: name, config }: DataplaneOptions): OpenDevice | undefined {
  if (agent) return madeByAgent(agent);
  return name === undefined
    ? undefined
    : madeHere({ name, addresses: interfaceAddresses(config), routes: [] } satisfies TunInterface);
}

const settings = ({ pools, esp }: GatewayConfig, { agent }: DataplaneOptions): UserspaceSettings => ({
  ownAddresses: pools.flatMap(({ cidr }) => firstAddress(cidr) ?? []),
  lifetimeBytes: esp.lifetimeBytes,
  isolatePeers: agent?.welcome?.isolateClients ?? false,
});

/** With the pool's length, so that the kernel routes the whole pool into the device. */
const interfaceAddresses = ({ pools }: GatewayConfig): readonly string[] =>
  pools.flatMap(({ cidr }) => {
    const first = firstAddress(cidr);
    return first ? [`${formatAddress(first)}/${parsePrefix(cidr)?.bits}`] : [];
  });

/** The one behind the network's own. */
function firstAddress(cidr: string): Bytes | undefined {
  const address = parsePrefix(cidr)?.address.slice();
  const last = address?.at(-1);
  if (!address || last === undefined) return undefined;
  address[address.length - 1] = last | 1;
  return address;
}
