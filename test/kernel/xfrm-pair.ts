/** Two networks with a wire between them, a socket for ESP in UDP and a kernel data plane in each; and both ends of children between them. */
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import koffi from 'koffi';
import type { CarriedTraffic } from '../../sidecar/contract/agent-protocol.ts';
import type { ChildSa, DataplaneReport } from '../../sidecar/contract/dataplane.ts';
import { openKernelChildren } from '../../sidecar/dataplane/kernel/kernel-children.ts';
import type { KernelChildren, KernelSettings } from '../../sidecar/dataplane/kernel/kernel-port.ts';
import { loadEspInUdp } from '../../sidecar/shell/esp-in-udp.ts';
import { loadUdpBatches } from '../../sidecar/shell/udp-batches.ts';
import { ends, filled, gcm, selector } from '../sidecar/dataplane/children.ts';

export type Side = 'left' | 'right';

export interface Network {
  readonly children: KernelChildren;
  readonly reports: DataplaneReport[];
  readonly traffic: CarriedTraffic[];
  /** As root in this network; answers what was printed. */
  run(...command: readonly string[]): string;
}

export interface Twin {
  readonly left: ChildSa;
  readonly right: ChildSa;
}

export const inner = { left4: '10.8.0.7', right4: '10.9.0.1', left6: 'fd08::7', right6: 'fd09::1' };
export const outer = { left4: '192.0.2.1', right4: '192.0.2.2', left6: '2001:db8::1', right6: '2001:db8::2' };
export const settings: KernelSettings = { natPort: 4500, lifetimeBytes: 0, mark: 0 };

const netns = { left: `rekindle-l${process.pid}`, right: `rekindle-r${process.pid}` };

export class Pair {
  readonly left: Network;
  readonly right: Network;

  constructor(left: Network, right: Network) {
    this.left = left;
    this.right = right;
  }

  async install({ left, right }: Twin): Promise<void> {
    await Promise.all([
      this.left.children.install({ order: 'install', child: left }),
      this.right.children.install({ order: 'install', child: right }),
    ]);
  }

  /** `count` echo requests in short order, all of which must be answered. */
  ping(from: Side, to: string, count: number): void {
    const output = this[from].run('ping', '-q', '-c', String(count), '-i', '0.002', '-W', '1', to);
    if (!output.includes(` ${count} received`)) throw new Error(output);
  }

  /** Without end, every so many milliseconds; when stopped, tells how many were sent and how many of these were answered. */
  stream(from: Side, to: string, everyMs = 2): () => Promise<{ readonly sent: number; readonly lost: number }> {
    const ping = spawn('ip', ['netns', 'exec', netns[from], 'ping', '-q', '-i', String(everyMs / 1000), '-W', '1', to]);
    let output = '';
    ping.stdout.on('data', (data: Buffer) => {
      output += data.toString();
    });
    return async () => {
      const closed = new Promise((resolve) => ping.once('close', resolve));
      ping.kill('SIGINT');
      await closed;
      const [, sent = '0', received = '0'] = /(\d+) packets transmitted, (\d+) received/.exec(output) ?? [];
      return { sent: Number(sent), lost: Number(sent) - Number(received) };
    };
  }

  /** States and policies in both networks. */
  leftOver(): string {
    return [this.left, this.right]
      .map((network) => network.run('ip', 'xfrm', 'state') + network.run('ip', 'xfrm', 'policy'))
      .join('');
  }

  close(): void {
    for (const network of [this.left, this.right]) network.children.close();
    for (const name of Object.values(netns)) execFileSync('ip', ['netns', 'delete', name]);
  }
}

export async function pairOfNetworks(given: KernelSettings = settings): Promise<Pair> {
  for (const name of Object.values(netns)) execFileSync('ip', ['netns', 'add', name]);
  execFileSync('ip', ['link', 'add', 'wire', 'netns', netns.left, 'type', 'veth', 'peer', 'name', 'wire', 'netns', netns.right]);
  return new Pair(await network('left', given), await network('right', given));
}

async function network(side: Side, given: KernelSettings): Promise<Network> {
  const run = (...command: readonly string[]): string =>
    execFileSync('ip', ['netns', 'exec', netns[side], ...command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  const other = side === 'left' ? 'right' : 'left';
  run('ip', 'link', 'set', 'lo', 'up');
  run('ip', 'link', 'set', 'wire', 'up');
  for (const address of [`${outer[`${side}4`]}/24`, `${outer[`${side}6`]}/64`]) {
    run('ip', 'address', 'add', address, 'dev', 'wire', ...(address.includes(':') ? ['nodad'] : []));
  }
  for (const address of [inner[`${side}4`], inner[`${side}6`]]) run('ip', 'address', 'add', address, 'dev', 'lo');
  run('ip', 'route', 'add', `${inner[`${other}4`]}/32`, 'dev', 'wire', 'src', inner[`${side}4`]);
  run('ip', '-6', 'route', 'add', `${inner[`${other}6`]}/128`, 'dev', 'wire', 'src', inner[`${side}6`]);
  const reports: DataplaneReport[] = [];
  const traffic: CarriedTraffic[] = [];
  const children = await inNetwork(netns[side], async () => {
    const [udp, leaveEsp] = [await loadUdpBatches(), await loadEspInUdp()];
    for (const address of ['0.0.0.0', '::']) leaveEsp(udp?.open(address, given.natPort) ?? -1);
    return openKernelChildren(given, {
      reports: (some) => void reports.push(...some),
      traffic: (some) => void traffic.push(...some),
      failed: (error) => {
        throw error;
      },
    });
  });
  return { children, reports, traffic, run };
}

/** Sockets that are opened meanwhile belong to the network. */
export async function inNetwork<T>(name: string, work: () => Promise<T>): Promise<T> {
  const setns = koffi.load(null).func('int setns(int fd, int type)');
  const enter = (path: string): void => {
    const fd = openSync(path, 'r');
    if (setns(fd, 0x4000_0000) < 0) throw new Error(`setns: errno ${koffi.errno()}; this needs root`);
    closeSync(fd);
  };
  enter(`/run/netns/${name}`);
  try {
    return await work();
  } finally {
    enter('/proc/1/ns/net');
  }
}

const aes192 = { encr: filled(28, 3), integ: new Uint8Array(0) };

/** Both ends of a child between the two networks. */
export function twin(
  spi: number,
  { suite = gcm, ipv6 = false, encapsulated = true }: { suite?: ChildSa['suite']; ipv6?: boolean; encapsulated?: boolean } = {},
): Twin {
  const { client, gateway } = ends(spi, { suite });
  // Not among what we negotiate, but what the kernel can do.
  const keys = suite.encr === 20 && suite.keyBits === 192 ? { keyIn: aes192, keyOut: aes192 } : {};
  const path = {
    local: ipv6 ? `[${outer.left6}]:4500` : `${outer.left4}:4500`,
    remote: ipv6 ? `[${outer.right6}]:4500` : `${outer.right4}:4500`,
  };
  const [left, right] = [
    [selector(inner.left4), selector(inner.left6)],
    [selector(inner.right4), selector(inner.right6)],
  ] as const;
  return {
    left: { ...client, ...keys, encapsulated, path, local: left, remote: right },
    right: { ...gateway, ...keys, encapsulated, path: { local: path.remote, remote: path.local }, local: right, remote: left },
  };
}
