/** UDP sockets towards RADIUS servers, each connected, so that the kernel lets through what comes from its server alone. */
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { isIPv6 } from 'node:net';
import type { Channel, Connect } from './ports.ts';

/** What waits for the socket to open; more is lost, as datagrams may be. */
const MOST_WAITING = 512;

export const connectUdp: Connect = (address, port, receive): Channel => {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  let waiting: Uint8Array[] | undefined = [];
  let closed = false;
  // A port that nobody listens at shows here, and as silence: a server that restarts is not gone.
  socket.on('error', () => {});
  socket.on('message', receive);
  socket.connect(port, address, () => {
    const due = waiting ?? [];
    waiting = undefined;
    if (!closed) for (const datagram of due) socket.send(datagram, () => {});
  });
  return {
    send(datagram) {
      if (!waiting) socket.send(datagram, () => {});
      else if (waiting.length < MOST_WAITING) waiting.push(datagram);
    },
    close() {
      closed = true;
      socket.close();
    },
  };
};

export const resolveHost = async (host: string): Promise<string> => (await lookup(host)).address;
