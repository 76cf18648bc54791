/** `dataplane.yaml` as text: parsed whole or refused whole, with every problem; written by the operator, readable by people. */
import { overlap, type Prefix, parsePrefix, prefix } from './address.ts';
import type { DataplaneConfig } from './dataplane-config.ts';
import type { Parsed, Place } from './problem.ts';
import { boolean, checked, integer, list, oneOf, optional, record, required, type Shape, sparse, text } from './schema.ts';
import { encodeYaml, parseEndedYaml } from './yaml.ts';

/** `file` names it in problems. */
export const parseDataplaneConfig = (file: string, yaml: string): Parsed<DataplaneConfig> =>
  parseEndedYaml(dataplaneConfig, file, yaml);
export const encodeDataplaneConfig = (config: DataplaneConfig): string => encodeYaml(dataplaneConfig, config);

/** As the kernel takes them (dev_valid_name), without the signs that nftables reads as patterns. */
const interfaceName: Shape<string> = checked(
  text('the name of an interface', /^[\w.@-]{1,15}$/, 'write 1 to 15 letters, digits and . _ - @, as `ip link` shows it'),
  (name, place) => {
    if (name === '.' || name === '..') place.refuse(`not the name of an interface: "${name}"`, 'write it as `ip link` shows it');
  },
);

/** RFC 791: every host takes 576 bytes. A pool of IPv6 asks for more, below. */
const LEAST_MTU = 576;
/** RFC 8200 §5. */
const LEAST_MTU_OF_IPV6 = 1280;

const traffic = record<DataplaneConfig['traffic']>({
  forwarding: optional(oneOf('masquerade', 'routed'), 'masquerade'),
  isolateClients: optional(boolean, false),
  mtu: optional(integer(0, 65_535), 0),
  clampMss: optional(boolean, true),
});

const fields = record<DataplaneConfig>({
  generation: optional(integer(0, Number.MAX_SAFE_INTEGER), 0),
  name: required(text('a name', /^[!-~]{1,253}$/, 'write 1 to 253 visible ASCII characters without spaces')),
  dataplane: optional(oneOf('auto', 'kernel', 'userspace'), 'auto'),
  pools: required(list(prefix, { min: 1, max: 16 })),
  // Those of the gateway and of each of its rules.
  routes: required(list(prefix, { max: 1_024 })),
  natPort: optional(integer(1, 65_535), 4500),
  lifetimeBytes: optional(integer(0, Number.MAX_SAFE_INTEGER), 2 ** 36),
  traffic: sparse(traffic),
  interfaces: optional(list(interfaceName, { max: 16 }), []),
  tun: optional(interfaceName, 'rekindle0'),
  mark: optional(integer(0, 0xffff_ffff), 0),
});

const dataplaneConfig: Shape<DataplaneConfig> = checked(fields, (config, place) => {
  fittingPools(config, place);
  fittingMtu(config, place);
});

function fittingPools({ pools }: DataplaneConfig, place: Place): void {
  const parsed = pools.flatMap((pool) => parsePrefix(pool) ?? []);
  parsed.forEach((pool, index) => {
    const at = place.at('pools').at(index);
    const special = RESERVED.find((one) => overlap(one.prefix, pool));
    if (special)
      at.refuse(`holds addresses of ${special.what}: "${pools[index]}"`, 'use a prefix of addresses that clients may have');
    const other = parsed.findIndex((earlier) => overlap(earlier, pool));
    if (other < index) at.refuse(`overlaps with pools[${other}]: "${pools[index]}"`, 'use prefixes that share no address');
  });
}

function fittingMtu({ pools, traffic: { mtu } }: DataplaneConfig, place: Place): void {
  const least = pools.some((pool) => pool.includes(':')) ? LEAST_MTU_OF_IPV6 : LEAST_MTU;
  if (mtu !== 0 && mtu < least)
    place
      .at('traffic')
      .at('mtu')
      .refuse(`less than ${least}: ${mtu}`, `write ${least} or more, or 0 to have it found out from the interface`);
}

/** Nobody's inner addresses: who routes one of these into a tunnel takes the node's own traffic. */
const RESERVED: readonly { readonly prefix: Prefix; readonly what: string }[] = [
  { text: '0.0.0.0/8', what: '"this network" (RFC 791 §3.2)' },
  { text: '127.0.0.0/8', what: 'loopback' },
  { text: '169.254.0.0/16', what: 'the local link' },
  { text: '224.0.0.0/4', what: 'multicast' },
  { text: '240.0.0.0/4', what: 'the reserved class E' },
  { text: '::/8', what: 'loopback and mapped addresses' },
  { text: 'fe80::/10', what: 'the local link' },
  { text: 'ff00::/8', what: 'multicast' },
].flatMap(({ text: cidr, what }) => {
  const parsed = parsePrefix(cidr);
  return parsed ? [{ prefix: parsed, what }] : [];
});
