/** The UDP socket of one attempt: plain IKE with the gateway's IKE port, the non-ESP marker or ESP with its NAT port (RFC 3948 §2, RFC 7296 §2.23). */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import type { Path } from '../ike/sa.ts';
import type { Bytes } from '../ike/wire/bytes.ts';
import { formatEndpoint, splitEndpoint } from '../shell/endpoint.ts';
import { isMarked, MARKER_LENGTH, marked } from '../shell/non-esp-marker.ts';
import type { ClientSocket, SocketRequest } from './ports.ts';

const KEEPALIVE = Uint8Array.of(0xff);

/** @throws Error when the source address is none of ours or no route leads to the gateway. */
export async function openSocket(request: SocketRequest): Promise<ClientSocket> {
  const { towards, natPort, onIke, onEsp } = request;
  const source = request.source ?? (await addressTowards(towards));
  const socket = await bindElsewhere(source, request.not);
  const local = endpoint(socket.address());
  // The network outside comes and goes; what is lost meanwhile is sent again.
  socket.on('error', () => {});
  socket.on('message', (message, from) => {
    const bytes = new Uint8Array(message.buffer, message.byteOffset, message.length);
    const path = { local, remote: endpoint(from) };
    if (from.port !== natPort) onIke(bytes, path);
    else if (isMarked(bytes)) onIke(bytes.subarray(MARKER_LENGTH), path);
    else if (bytes.length > KEEPALIVE.length) onEsp(bytes, path);
  });
  const send = (bytes: Bytes, { remote }: Path): void => {
    const { address, port } = splitEndpoint(remote);
    socket.send(bytes, port, address, () => {});
  };
  return {
    local,
    sendIke: (bytes, path) => send(splitEndpoint(path.remote).port === natPort ? marked(bytes) : bytes, path),
    sendEsp: send,
    sendKeepalive: (path) => send(KEEPALIVE, path),
    close: () => socket.close(),
  };
}

/** The kernel chooses the port; the one before is held meanwhile, so that it cannot come again. */
async function bindElsewhere(source: string, not: number | undefined): Promise<Socket> {
  const socket = await bind(source);
  if (socket.address().port !== not) return socket;
  try {
    return await bind(source);
  } finally {
    socket.close();
  }
}

async function bind(source: string): Promise<Socket> {
  // Destinations are addresses already.
  const socket = createSocket({
    type: isIPv6(source) ? 'udp6' : 'udp4',
    lookup: (host, _, done) => done(null, host, isIPv6(host) ? 6 : 4),
  });
  try {
    const listening = once(socket, 'listening'); // before: a lookup that answers at once lets bind be done at once
    socket.bind({ address: source, port: 0, exclusive: true });
    await listening;
    return socket;
  } catch (cause) {
    socket.close();
    throw new Error(`cannot send from ${source}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** Connecting a UDP socket sends nothing; it only asks the routes. */
export async function addressTowards({ address, port }: SocketRequest['towards']): Promise<string> {
  const probe = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  try {
    await connected(probe, address, port);
    return probe.address().address;
  } finally {
    probe.close();
  }
}

const connected = (socket: Socket, address: string, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.connect(port, address, (error?: Error) => (error ? reject(error) : resolve()));
  });

const endpoint = ({ address, port }: { readonly address: string; readonly port: number }): string =>
  formatEndpoint(address, port);
