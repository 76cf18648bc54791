/** Taking a port, and what to do when it cannot be had. */
import { once } from 'node:events';
import type { Server } from 'node:net';

/** `host` undefined: all addresses. @throws Error with a remedy. */
export async function listening(server: Server, host: string | undefined, port: number): Promise<void> {
  server.listen({ port, ...(host !== undefined && { host }) });
  try {
    await once(server, 'listening');
  } catch (cause) {
    throw new Error(bindFailure('TCP', host ?? 'all addresses', port, cause), { cause });
  }
}

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
