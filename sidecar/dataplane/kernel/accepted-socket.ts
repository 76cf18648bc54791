/** What the agent does with the descriptor of a connection: asks who is at the other end, and sends descriptors along. */
import { closeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { encodeFromAgent } from '../agent/messages.ts';
import type { PeerCredentials, UnixSyscalls } from '../agent/unix-syscalls.ts';

/** @throws Error when the connection is gone */
export const peerOf =
  (syscalls: UnixSyscalls) =>
  (socket: Socket): PeerCredentials =>
    syscalls.peerOf(descriptorOf(socket));

/** Answers a request for a TUN device with what `open` gives, which is closed here afterwards. @throws Error */
export const sendTun =
  (syscalls: UnixSyscalls, open: (queues: number) => Promise<readonly number[]>) =>
  async (socket: Socket, queues: number): Promise<void> => {
    const descriptors = await open(queues);
    try {
      // Nothing else was written to this connection, so nothing can come in between.
      syscalls.send(descriptorOf(socket), encodeFromAgent({ type: 'tun', descriptors: descriptors.length }), descriptors);
    } finally {
      for (const descriptor of descriptors) closeSync(descriptor);
    }
  };

/** Node tells it by no name of its own; a version that hides it is found out by the first connection. */
function descriptorOf(socket: Socket): number {
  const { _handle } = socket as Socket & { readonly _handle?: { readonly fd?: number } | null };
  if (_handle?.fd === undefined || _handle.fd < 0) throw new Error('the connection has no descriptor any more');
  return _handle.fd;
}
