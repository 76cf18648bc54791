/** Two networks with a wire between them, a socket for ESP in UDP and a kernel data plane in each; and both ends of children between them. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, execFileSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import koffi from 'koffi';
import type { CarriedTraffic } from '../../sidecar/contract/agent-protocol.ts';
import type { ChildSa, DataplaneReport } from '../../sidecar/contract/dataplane.ts';
import { openKernelChildren } from '../../sidecar/dataplane/kernel/kernel-children.ts';
import type { KernelChildren, KernelSettings } from '../../sidecar/dataplane/kernel/kernel-port.ts';
import type { Request } from '../../sidecar/dataplane/kernel/netlink-message.ts';
import { NetlinkRequests } from '../../sidecar/dataplane/kernel/netlink-requests.ts';
import { loadNetlinkSyscalls } from '../../sidecar/dataplane/kernel/netlink-syscalls.ts';
import { NETLINK_XFRM } from '../../sidecar/dataplane/kernel/xfrm-structures.ts';
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
  readonly requests: NetlinkRequests;
}

export interface Twin {
  readonly left: ChildSa;
  readonly right: ChildSa;
}

export const inner = { left4: '10.8.0.7', right4: '10.9.0.1', left6: 'fd08::7', right6: 'fd09::1' };
export const outer = { left4: '192.0.2.1', right4: '192.0.2.2', left6: '2001:db8::1', right6: '2001:db8::2' };
export const settings: KernelSettings = { natPort: 4500, lifetimeBytes: 0, mark: 0 };

const netns = { left: `rekindle-l${process.pid}`, right: `rekindle-r${process.pid}` };

/** Echo requests as fast as they are answered, some hundred after some hundred. */
export interface Flood {
  /** After the last answer: what is interrupted would count what is on its way as lost. Answers how many were sent. @throws AssertionError when one was lost. */
  end(): Promise<number>;
}

export class Pair {
  readonly left: Network;
  right: Network;

  readonly #running = new Set<ChildProcess>();

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

  flood(from: Side, to: string): Flood {
    let ended = false;
    let [sent, lost] = [0, 0];
    const flooding = (async () => {
      while (!ended) {
        const output = await this.#printed('ip', ['netns', 'exec', netns[from], 'ping', '-q', '-f', '-c', '300', '-W', '2', to]);
        const [, some = '0', answered = '0'] = /(\d+) packets transmitted, (\d+) received/.exec(output) ?? [];
        sent += Number(some);
        lost += Number(some) - Number(answered);
      }
    })();
    return {
      end: async () => {
        ended = true;
        await flooding;
        assert.equal(lost, 0, `packets lost, of ${sent}`);
        return sent;
      },
    };
  }

  #printed(command: string, args: readonly string[]): Promise<string> {
    return new Promise((resolve) => {
      const running = execFile(command, args, (_, stdout) => {
        this.#running.delete(running);
        resolve(stdout);
      });
      this.#running.add(running);
    });
  }

  /** Something that a data plane would not do by itself. */
  async askAt(side: Side, request: Request): Promise<void> {
    await this[side].requests.ask(request);
  }

  /** States and policies in both networks. */
  leftOver(): string {
    return [this.left, this.right]
      .map((network) => network.run('ip', 'xfrm', 'state') + network.run('ip', 'xfrm', 'policy'))
      .join('');
  }

  close(): void {
    for (const running of this.#running) running.kill();
    for (const network of [this.left, this.right]) {
      network.children.close();
      network.requests.close();
    }
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
    execFileSync('ip', ['netns', 'exec', netns[side], ...command], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
      maxBuffer: 64 << 20,
    });
  const other = side === 'left' ? 'right' : 'left';
  run('ip', 'link', 'set', 'lo', 'up');
  run('ip', 'link', 'set', 'wire', 'up');
  for (const address of [`${outer[`${side}4`]}/24`, `${outer[`${side}6`]}/64`]) {
    run('ip', 'address', 'add', address, 'dev', 'wire', ...(address.includes(':') ? ['nodad'] : []));
  }
  // More of the left, so that it can come from elsewhere, or pretend to be somebody else.
  if (side === 'left') {
    for (const address of ['192.0.2.11', '192.0.2.21', '10.8.0.66', '10.8.0.99'])
      run('ip', 'address', 'add', address, 'dev', 'lo');
  }
  for (const address of [inner[`${side}4`], inner[`${side}6`]]) run('ip', 'address', 'add', address, 'dev', 'lo');
  run('ip', 'route', 'add', `${inner[`${other}4`]}/32`, 'dev', 'wire', 'src', inner[`${side}4`]);
  run('ip', '-6', 'route', 'add', `${inner[`${other}6`]}/128`, 'dev', 'wire', 'src', inner[`${side}6`]);
  const reports: DataplaneReport[] = [];
  const traffic: CarriedTraffic[] = [];
  await inNetwork(netns[side], async () => {
    const [udp, leaveEsp] = [await loadUdpBatches(), await loadEspInUdp()];
    for (const address of ['0.0.0.0', '::']) leaveEsp(udp?.open(address, given.natPort) ?? -1);
    // What a NAT makes of it.
    leaveEsp(udp?.open('0.0.0.0', 14500) ?? -1);
  });
  const requests = await inNetwork(netns[side], async () => new NetlinkRequests(await loadNetlinkSyscalls(), NETLINK_XFRM));
  const children = await openIn(side, given, reports, traffic);
  return { children, reports, traffic, run, requests };
}

/** A kernel data plane in a network, beside one that may be there. */
export function openIn(
  side: Side,
  given: KernelSettings,
  reports: DataplaneReport[] = [],
  traffic: CarriedTraffic[] = [],
): Promise<KernelChildren> {
  return inNetwork(netns[side], () =>
    openKernelChildren(given, {
      reports: (some) => void reports.push(...some),
      traffic: (some) => void traffic.push(...some),
      failed: (error) => {
        throw error;
      },
    }),
  );
}

/** Waits for what the kernel tells in its own time. @throws Error after five seconds. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  for (let tries = 0; !holds(); tries++) {
    if (tries === 500) throw new Error(`waited in vain: ${what}`);
    await setTimeout(10);
  }
}

/** Sockets that are opened meanwhile belong to the network. */
export async function inNetwork<T>(name: string, work: () => Promise<T>): Promise<T> {
  const setns = koffi.load(null).func('int setns(int fd, int type)');
  const enter = (path: string): void => {
    const fd = openSync(path, 'r');
    if (setns(fd, 0x4000_0000) < 0) throw new Error(`setns: errno ${koffi.errno()}; this needs root`);
    closeSync(fd);
  };
  const home = openSync('/proc/thread-self/ns/net', 'r');
  enter(`/run/netns/${name}`);
  try {
    return await work();
  } finally {
    enter(`/proc/self/fd/${home}`);
    closeSync(home);
  }
}

const aes192 = { encr: filled(28, 3), integ: new Uint8Array(0) };

export interface TwinOptions {
  readonly suite?: ChildSa['suite'];
  /** Outside. */
  readonly ipv6?: boolean;
  readonly encapsulated?: boolean;
  /** Inner addresses of the left; IPv4 alone makes it a child with one pair of selectors. */
  readonly lefts?: readonly string[];
}

/** Both ends of a child between the two networks. */
export function twin(spi: number, options: TwinOptions = {}): Twin {
  const { suite = gcm, ipv6 = false, encapsulated = true, lefts = [inner.left4, inner.left6] } = options;
  const { client, gateway } = ends(spi, { suite });
  // Not among what we negotiate, but what the kernel can do.
  const keys = suite.encr === 20 && suite.keyBits === 192 ? { keyIn: aes192, keyOut: aes192 } : {};
  const path = {
    local: ipv6 ? `[${outer.left6}]:4500` : `${outer.left4}:4500`,
    remote: ipv6 ? `[${outer.right6}]:4500` : `${outer.right4}:4500`,
  };
  const peer = { idType: 2, data: new TextEncoder().encode(lefts.join()) };
  const left = lefts.map((address) => selector(address));
  const right = [selector(inner.right4), selector(inner.right6)];
  return {
    left: { ...client, ...keys, peer, encapsulated, path, local: left, remote: right },
    right: {
      ...gateway,
      ...keys,
      peer,
      encapsulated,
      path: { local: path.remote, remote: path.local },
      local: right,
      remote: left,
    },
  };
}
