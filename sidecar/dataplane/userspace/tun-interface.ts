/** Addresses and routes of a TUN interface, by `ip` of iproute2. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

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
const run = promisify(execFile);

/** @throws Error that names the command and what can be done. */
export async function configureInterface({ name, addresses, routes, mtu = MTU }: TunInterface): Promise<void> {
  // No link-local address: its router solicitations have nowhere to go.
  await ip('link', 'set', 'dev', name, 'addrgenmode', 'none');
  for (const address of addresses)
    await ip('address', 'replace', address, 'dev', name, ...(address.includes(':') ? ['nodad'] : []));
  await ip('link', 'set', 'dev', name, 'mtu', String(mtu), 'up');
  for (const route of routes) await ip('route', 'replace', route, 'dev', name);
}

async function ip(...args: readonly string[]): Promise<void> {
  try {
    await run('ip', args);
  } catch (error) {
    throw new Error(`ip ${args.join(' ')}: ${reasonOf(error)}`, { cause: error });
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ('code' in error && error.code === 'ENOENT') return 'no such program; install iproute2';
  return 'stderr' in error && error.stderr ? String(error.stderr).trim() : error.message;
}
