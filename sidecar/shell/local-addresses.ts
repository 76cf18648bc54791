/** The addresses of this machine that a gateway can be reached at. */
import { networkInterfaces } from 'node:os';

/** `0.0.0.0` and `::` stand for all addresses of their kind, as they are now; link-local ones are left out. @throws Error when none is left. */
export function localAddresses(wanted: readonly string[], all = networkInterfaces()): readonly string[] {
  const ours = Object.values(all).flatMap((entries) => entries ?? []);
  const of = (family: 'IPv4' | 'IPv6'): readonly string[] =>
    ours.filter((entry) => entry.family === family && !isLinkLocal(entry.address)).map((entry) => entry.address);
  const addresses = wanted.flatMap((address) => (address === '0.0.0.0' ? of('IPv4') : address === '::' ? of('IPv6') : [address]));
  if (addresses.length === 0) throw new Error(`this machine has no address for ${wanted.join(', ')}; name one with --address`);
  return [...new Set(addresses)];
}

const isLinkLocal = (address: string): boolean => /^(169\.254\.|fe[89ab][0-9a-f]:)/i.test(address);
