/** Outer addresses that ESP may go between: from an address of this machine to one that can be somebody else's. */
import { parseAddress } from '../../contract/address.ts';
import type { ChildSa } from '../../contract/dataplane.ts';
import type { Bytes } from '../../ike/wire/bytes.ts';
import { type AddressRange, contains, rangeOf, single } from './address-range.ts';

export interface PathRules {
  /** Undefined: not in UDP. */
  readonly natPort: number | undefined;
  /** What is inside of the tunnel is not its far end: packets would go round for ever. */
  readonly pools: readonly AddressRange[];
  readonly isOwn: (address: Bytes) => boolean;
}

/** Why not, with the field; undefined: allowed. */
export function refusedPath(path: ChildSa['path'], { natPort, pools, isOwn }: PathRules): string | undefined {
  const [local, remote] = [parseEndpoint(path.local), parseEndpoint(path.remote)];
  if (!local) return 'path.local: not an address with a port';
  if (!remote) return 'path.remote: not an address with a port';
  if (local.address.length !== remote.address.length) return 'path.remote: not of the family of path.local';
  for (const [name, { address, text }] of [['local', local] as const, ['remote', remote] as const]) {
    const special = NO_HOST.find((range) => contains(range, single(address)));
    if (special) return `path.${name}: ${text} is no address of a host on a network`;
    if (pools.some((pool) => contains(pool, single(address)))) return `path.${name}: ${text} is inside a pool`;
  }
  if (!isOwn(local.address)) return `path.local: ${local.text} is no address of this machine`;
  if (isOwn(remote.address)) return `path.remote: ${remote.text} is an address of this machine`;
  if (natPort !== undefined && local.port !== natPort) return `path.local: port ${local.port} instead of ${natPort}`;
  return remote.port === 0 && natPort !== undefined ? 'path.remote: port 0' : undefined;
}

interface Endpoint {
  readonly address: Bytes;
  readonly port: number;
  readonly text: string;
}

function parseEndpoint(endpoint: string): Endpoint | undefined {
  const [, ipv6, ipv4, digits] = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+)):(\d{1,5})$/i.exec(endpoint) ?? [];
  const text = ipv6 ?? ipv4 ?? '';
  const address = parseAddress(text);
  const port = Number(digits);
  return address && port <= 0xffff ? { address, port, text } : undefined;
}

/** "This network", loopback, multicast, class E with broadcast; unspecified, loopback and mapped, link-local (it lacks its interface), multicast. */
const NO_HOST: readonly AddressRange[] = [
  ...['0.0.0.0/8', '127.0.0.0/8', '224.0.0.0/4', '240.0.0.0/4'],
  ...['::/96', '::ffff:0:0/96', 'fe80::/10', 'ff00::/8'],
].map(rangeOf);
