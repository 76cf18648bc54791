/** What of this host keeps inner packets from their way, or slows them: looked at, mended where that is permitted, told with the remedy. */
import type { Problem } from '../../contract/agent-protocol.ts';
import type { DataplaneConfig } from '../../contract/dataplane-config.ts';
import { type Egress, fits, innerMtu } from './egress.ts';
import { ensureForwarding, type Sysctls } from './forwarding.ts';
import { LEAST_MTU } from './inner-mtu.ts';
import { FAMILIES, innerNetwork } from './inner-network.ts';

export interface HostFacts {
  readonly dataplane: 'kernel' | 'userspace';
  readonly egress: Egress | undefined;
  /** All there are. */
  readonly interfaces: readonly string[];
}

export async function checkHost(config: DataplaneConfig, facts: HostFacts, settings: Sysctls): Promise<readonly Problem[]> {
  const families = FAMILIES.filter((family) => innerNetwork(config, family).pools.length > 0);
  const found = await Promise.all([
    ...families.map((family) => ensureForwarding(settings, family, facts.egress)),
    reversePath(config, settings),
    facts.dataplane === 'userspace' ? socketBuffers(settings) : undefined,
  ]);
  return [...found, ...mtu(config, facts.egress), missingInterfaces(config, facts)].filter((problem) => problem !== undefined);
}

const warning = (text: string): Problem => ({ severity: 'warning', text });

function mtu(config: DataplaneConfig, egress: Egress | undefined): (Problem | undefined)[] {
  if (!egress)
    return [
      warning('no default route leads out of this network, so the MTU of the tunnel is a guess; add one, or set traffic.mtu'),
    ];
  const [used, room] = [innerMtu(config, egress), fits(egress)];
  if (used <= room) return [];
  const why = config.traffic.mtu === 0 ? `a pool needs ${used} (at least ${LEAST_MTU[6]} with IPv6)` : `traffic.mtu is ${used}`;
  return [
    warning(
      `${egress.name} has an MTU of ${egress.mtu}, which leaves ${room} bytes for an inner packet, and ${why}: packets around larger ones are sent in fragments, or dropped where they are of IPv6 and the kernel forwards them; give ${egress.name} a larger MTU or the tunnel a smaller one`,
    ),
  ];
}

function missingInterfaces({ interfaces }: DataplaneConfig, facts: HostFacts): Problem | undefined {
  const missing = interfaces.filter((name) => !facts.interfaces.includes(name));
  if (missing.length === 0) return undefined;
  return warning(`there is no interface ${missing.join(', ')}; there are ${facts.interfaces.join(', ')}: correct interfaces`);
}

/** RFC 3704 §2.2: strict filtering drops an answer that comes in by another interface than the one that leads to its source. What XFRM decrypted is exempt. */
async function reversePath({ interfaces }: DataplaneConfig, settings: Sysctls): Promise<Problem | undefined> {
  if (interfaces.length < 2) return undefined;
  const read = async (name: string): Promise<number> => Number((await settings.read(`net/ipv4/conf/${name}/rp_filter`)) ?? 0);
  const all = await read('all');
  const values = await Promise.all(interfaces.map(async (name) => ({ name, value: Math.max(all, await read(name)) })));
  const strict = values.filter(({ value }) => value === 1).map(({ name }) => name);
  if (strict.length === 0) return undefined;
  return warning(
    `strict reverse path filtering on ${strict.join(', ')} drops answers that come in by another interface than they would be sent by; set net.ipv4.conf.all.rp_filter=2 unless all routes are symmetric`,
  );
}

/** Half a megabyte is what a link of 1 Gbit/s brings in 4 ms. */
const LEAST_BUFFER = 524_288;

/** The kernel shows this setting in the first network of a host only. */
async function socketBuffers(settings: Sysctls): Promise<Problem | undefined> {
  const value = await settings.read('net/core/rmem_max');
  if (value === undefined || Number(value) >= LEAST_BUFFER) return undefined;
  return warning(
    `net.core.rmem_max is ${value}: bursts of ESP are lost when the data plane is busy; set it to 4194304 on the node (sysctl -w net.core.rmem_max=4194304)`,
  );
}
