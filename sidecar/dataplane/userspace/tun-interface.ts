/** Addresses and routes of a TUN interface, by `ip` of iproute2. */
import { IP, run } from '../program.ts';

/** Text as `ip` takes it: addresses with prefix length, routes as prefixes. */
export interface TunInterface {
  /** At most 15 characters. */
  readonly name: string;
  readonly addresses: readonly string[];
  /** Must not hold the outer address of the gateway, or ESP goes into its own tunnel. */
  readonly routes: readonly string[];
  /** Bytes of an inner packet. */
  readonly mtu?: number;
}

/** Even IPv6 outside, UDP, AES-CBC and HMAC-SHA2-512-256 around it stay below 1 500 bytes. */
const MTU = 1380;

/** @throws Error that names the command and what can be done. */
export async function configureInterface({ name, addresses, routes, mtu = MTU }: TunInterface): Promise<void> {
  // No link-local address: its router solicitations have nowhere to go.
  await ip('link', 'set', 'dev', name, 'addrgenmode', 'none');
  for (const address of addresses)
    await ip('address', 'replace', address, 'dev', name, ...(address.includes(':') ? ['nodad'] : []));
  await ip('link', 'set', 'dev', name, 'mtu', String(mtu), 'up');
  for (const route of routes) await ip('route', 'replace', route, 'dev', name);
}

const ip = (...args: readonly string[]): Promise<string> => run(IP, args);
