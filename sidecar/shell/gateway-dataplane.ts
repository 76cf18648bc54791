/** Which data plane carries the children of this gateway: what the configuration asks for, what the agent runs, what is in the way. */
import type { Problem } from '../contract/agent-protocol.ts';
import type { GatewayConfig } from '../contract/gateway-config.ts';
import type { Dataplane, PacketDataplane, Path } from '../dataplane/dataplane.ts';
import { NO_DROPS, NO_TRAFFIC } from '../dataplane/userspace/traffic.ts';
import type { Cryptography } from '../ike/crypto/cryptography.ts';
import type { Bytes } from '../ike/wire/bytes.ts';
import type { AgentLink } from './agent-link.ts';
import { kernelDataplane } from './kernel-dataplane.ts';
import type { Udp } from './udp.ts';
import { UserspaceGateway } from './userspace-dataplane.ts';

export type DataplaneKind = 'kernel' | 'userspace' | 'none';

export interface GatewayDataplane {
  readonly kind: DataplaneKind;
  readonly port: Dataplane & Pick<PacketDataplane, 'receive'>;
  /** With a `blocking` one no child is promised to anybody. */
  problems(): readonly Problem[];
  /** From now on packets come and go. @throws Error that names the remedy when they cannot. */
  open(): Promise<void>;
  configure(config: GatewayConfig): void;
  close(): Promise<void>;
}

export interface DataplaneOptions {
  readonly config: GatewayConfig;
  readonly crypto: Cryptography;
  readonly random: (length: number) => Bytes;
  readonly send: (packet: Bytes, path: Path) => void;
  /** The sockets of the NAT port, and those for ESP alone, if `espApart` asked for some. */
  readonly udp: Pick<Udp, 'natDescriptors' | 'espSockets' | 'takeEsp'>;
  /** The name of a TUN device to carry inner packets, which needs CAP_NET_ADMIN; undefined: none leave the process. */
  readonly tun: string | undefined;
  /** Whose first welcome has come; undefined: there is none. */
  readonly agent: AgentLink | undefined;
  /** Something was carried, or happened, outside of a call of ours. */
  readonly active: () => void;
  /** `problems` says something else now. */
  readonly changed: () => void;
  readonly failed: (error: unknown) => void;
}

export type CreateDataplane = (options: DataplaneOptions) => GatewayDataplane;

/** @throws Error that names the remedy when what the configuration asks for cannot be. */
export const createDataplane: CreateDataplane = (options) => {
  const kind = chosen(options);
  if (kind === 'none') return none();
  const { agent } = options;
  let { config } = options;
  const carrier = kind === 'kernel' && agent ? kernelDataplane(options, agent) : new UserspaceGateway(options);
  return {
    kind,
    port: carrier.port,
    problems: () => [...contradictions(kind, config, agent), ...carrier.problems(), ...(agent?.problems() ?? [])],
    configure(next) {
      config = next;
      carrier.configure(next);
    },
    open: () => carrier.open(),
    close: () => carrier.close(),
  };
};

/** Whether ESP is to be read from sockets of its own, in a thread of its own. */
export const espApart = ({ config, agent, tun }: Pick<DataplaneOptions, 'config' | 'agent' | 'tun'>): boolean =>
  config.dataplane !== 'none' && (agent ? agent.welcome?.dataplane === 'userspace' : tun !== undefined);

function chosen({ config: { dataplane }, agent }: DataplaneOptions): DataplaneKind {
  if (dataplane === 'none') return 'none';
  if (agent?.welcome) return agent.welcome.dataplane;
  if (dataplane === 'kernel')
    throw new Error(
      'gateway.yaml: dataplane: kernel, but no agent is there to program the kernel; start with --agent SOCKET, or write userspace',
    );
  return 'userspace';
}

function contradictions(kind: DataplaneKind, config: GatewayConfig, agent: AgentLink | undefined): readonly Problem[] {
  const { dataplane: asked, esp } = config;
  const runs = agent?.welcome?.dataplane;
  const texts = [
    asked !== 'auto' && asked !== 'none' && runs && asked !== runs
      ? `gateway.yaml: dataplane: ${asked}, but the agent runs ${NAMES[runs]}; write auto, or the same in gateway.yaml and dataplane.yaml`
      : undefined,
    runs && runs !== kind
      ? `the agent runs ${NAMES[runs]} now, and this process began with ${NAMES[kind]}; restart it, its sessions come back by their tickets`
      : undefined,
    kind === 'userspace' && !esp.forceEncapsulation
      ? 'gateway.yaml: esp.forceEncapsulation: false, but ESP in user space travels in UDP only; write true'
      : undefined,
  ];
  return texts.flatMap((text) => (text === undefined ? [] : [{ severity: 'blocking', text } as const]));
}

const NAMES: Readonly<Record<DataplaneKind, string>> = { kernel: 'the kernel', userspace: 'user space', none: 'none' };

/** IKE only: for tests of the protocol, and for children that something else carries. */
function none(): GatewayDataplane {
  const drops = { ...NO_DROPS };
  const port: GatewayDataplane['port'] = {
    order: () => {},
    receive() {
      drops['unknown-spi']++;
      return 'unknown-spi';
    },
    reports: () => [],
    settle: () => undefined,
    stats: () => ({ children: [], totals: NO_TRAFFIC, drops: { ...drops } }),
    traffic: () => undefined,
    close: () => {},
  };
  return { kind: 'none', port, problems: () => [], open: async () => {}, configure: () => {}, close: async () => {} };
}
