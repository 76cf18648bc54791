/** Whether this host forwards packets; switched on where that is permitted. Settings of the kernel, as files below /proc/sys. */
import { readFile, writeFile } from 'node:fs/promises';
import type { Problem } from '../../contract/agent-protocol.ts';
import type { Egress } from './egress.ts';
import type { Family } from './inner-network.ts';

/** The settings of a network namespace. `root`: /proc/sys but in tests. */
export interface Sysctls {
  /** Undefined: there is none of this name, or nobody may know. */
  read(name: string): Promise<string | undefined>;
  /** @throws Error of node:fs */
  write(name: string, value: string): Promise<void>;
}

/** `net/ipv4/ip_forward`. */
export const sysctls = (root = '/proc/sys'): Sysctls => ({
  read: (name) =>
    readFile(`${root}/${name}`, 'utf8').then(
      (text) => text.trim(),
      () => undefined,
    ),
  write: (name, value) => writeFile(`${root}/${name}`, `${value}\n`),
});

const SETTING = { 4: 'net/ipv4/ip_forward', 6: 'net/ipv6/conf/all/forwarding' } as const;

export async function ensureForwarding(
  settings: Sysctls,
  family: Family,
  egress: Egress | undefined,
): Promise<Problem | undefined> {
  const name = SETTING[family];
  const value = await settings.read(name);
  if (value === '1') return undefined;
  if (value === undefined)
    return {
      severity: 'blocking',
      text: `there is no IPv${family} in this network, and a pool is of it; remove the pool, or switch IPv${family} on for the node and its pods`,
    };
  try {
    // Whoever forwards is a router, which takes no default route from another one unless told so (net.ipv6.conf.*.accept_ra = 2).
    if (family === 6 && egress?.advertised) await settings.write(`net/ipv6/conf/${egress.name}/accept_ra`, '2');
    await settings.write(name, '1');
    return undefined;
  } catch (error) {
    return { severity: 'blocking', text: remedy(family, error) };
  }
}

function remedy(family: Family, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? ` (${error.code})` : '';
  const name = SETTING[family].replaceAll('/', '.');
  return [
    `IPv${family} packets of clients are not forwarded: ${name} is 0 and the agent may not set it${code}`,
    `let the pod have it (spec.pod.forwardingSysctls of the VpnGateway, or securityContext.sysctls: {name: ${name}, value: "1"}), which the kubelet of the node must allow (--allowed-unsafe-sysctls=${name})`,
    `with hostNetwork set it on the node (sysctl -w ${name}=1)`,
  ].join('; ');
}
