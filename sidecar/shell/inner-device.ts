/** The TUN device by which inner packets come and go: made here, which takes CAP_NET_ADMIN, or by the agent, which hands it over. */
import { closeSync } from 'node:fs';
import { configureInterface, type TunInterface } from '../dataplane/userspace/tun-interface.ts';
import { openQueue } from '../dataplane/userspace/tun-queue.ts';
import { loadTunSyscalls } from '../dataplane/userspace/tun-syscalls.ts';
import type { AgentLink } from './agent-link.ts';

/** An open descriptor, which does not block and is the caller's to close. @throws Error that names the remedy. */
export type OpenDevice = () => Promise<number>;

export const madeHere =
  (device: TunInterface): OpenDevice =>
  async () => {
    const descriptor = openQueue(await loadTunSyscalls(), device.name, 'offload');
    try {
      await configureInterface(device);
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
    return descriptor;
  };

export const madeByAgent =
  ({ connection }: AgentLink): OpenDevice =>
  async () => {
    const [descriptor, ...others] = await connection.tun(1);
    for (const other of others) closeSync(other);
    if (descriptor === undefined) throw new Error('the agent handed over no TUN device; look at its log');
    return descriptor;
  };
