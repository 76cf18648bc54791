/** One UDP socket of the gateway, and beside it the one that the kernel hands ESP to. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { bindFailure } from '../process/listening.ts';
import { formatEndpoint } from './endpoint.ts';
import type { Datagram, UdpBatches } from './udp-batches.ts';

/** Room for the burst of clients that come back at once when another pod has died. */
export const BUFFER_BYTES = 4 * 1024 * 1024;

export interface BoundSocket {
  readonly socket: Socket;
  /** With batches. */
  readonly fd: number | undefined;
  /** Of the socket that the kernel hands ESP to, which is read elsewhere. */
  esp: number | undefined;
  /** What leaves at the end of this turn. */
  readonly queue: Datagram[];
  readonly local: string;
  readonly nat: boolean;
  readonly ipv6: boolean;
}

interface Port {
  readonly address: string;
  readonly port: number;
  readonly nat: boolean;
  readonly espApart: boolean;
}

/** Takes one port. @throws Error that names it and the remedy; nothing stays bound then. */
export async function bindSocket(wanted: Port, batches: UdpBatches | undefined): Promise<BoundSocket> {
  const { address, port, nat, espApart } = wanted;
  const ipv6 = isIPv6(address);
  const socket = createSocket({
    type: ipv6 ? 'udp6' : 'udp4',
    ipv6Only: ipv6,
    recvBufferSize: BUFFER_BYTES,
    sendBufferSize: BUFFER_BYTES,
    // Destinations are addresses already.
    lookup: (host, _, done) => done(null, host, ipv6 ? 6 : 4),
  });
  let pair: { readonly fd: number; readonly esp?: number } | undefined;
  try {
    pair = (espApart && batches?.openPair(address, port, BUFFER_BYTES)) || (batches && { fd: batches.open(address, port) });
    // Without a lookup that waits, binding may be done within the call.
    const listening = once(socket, 'listening');
    socket.bind({ ...(pair ? { fd: pair.fd } : { address, port }), exclusive: true });
    await listening;
  } catch (cause) {
    socket.close();
    if (pair?.esp !== undefined) closeSync(pair.esp);
    throw new Error(bindFailure('UDP', address, port, cause), { cause });
  }
  const local = formatEndpoint(address, socket.address().port);
  return { socket, fd: pair?.fd, esp: pair?.esp, queue: [], local, nat, ipv6 };
}

export function closeEsp(bound: BoundSocket): void {
  if (bound.esp !== undefined) closeSync(bound.esp);
  bound.esp = undefined;
}
