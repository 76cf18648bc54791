/** Taking a port and giving it back, and what to do when it cannot be had. */
import { once } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import type { Server } from 'node:net';

/** `host` undefined: all addresses. @throws Error with a remedy. */
export async function listening(server: Server, host: string | undefined, port: number): Promise<void> {
  server.listen({ port, ...(host !== undefined && { host }) });
  try {
    await once(server, 'listening');
  } catch (cause) {
    throw new Error(bindFailure('TCP', host ?? 'all addresses', port, cause), { cause });
  }
  // A connection that cannot be accepted, for instance because no descriptor is left, costs itself and not the process.
  server.on('error', () => {});
}

/** The one that the system chose, if it was asked to. */
export function portOf(server: Server): number {
  const address = server.address();
  return address !== null && typeof address === 'object' ? address.port : 0;
}

/** Done when all connections are gone, idle or not. */
export const closed = (server: HttpServer): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });

export function bindFailure(protocol: 'TCP' | 'UDP', host: string, port: number, cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
  const where = `${protocol} port ${port} of ${host}`;
  return `cannot listen on ${where}: ${code}; ${remedies(port)[code] ?? 'see the errors of bind(2)'}`;
}

const remedies = (port: number): Readonly<Record<string, string>> => ({
  EADDRINUSE: 'another process has it: stop that one or choose another port',
  EACCES: `ports below 1024 need a right: set the sysctl net.ipv4.ip_unprivileged_port_start to ${port} or less, or choose a port from 1024 on`,
  EADDRNOTAVAIL: 'no interface of this machine has this address: choose one that `ip address` lists',
  EAFNOSUPPORT: 'this machine does not speak this version of IP: choose an address of the other one',
});
