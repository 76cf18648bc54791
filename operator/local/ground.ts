/** What a local cluster stands on and shares with no other run: a state directory and a part of the loopback network. */
import { join, resolve } from 'node:path';
import { systemClock } from '../clock.ts';
import { makePrivateDirectory } from './disk.ts';
import { endLeftovers } from './leftover.ts';
import type { LocalOptions } from './local-options.ts';
import { LOCAL_PORTS, LocalNetwork, reserveNetwork } from './network.ts';
import { lockState } from './state-lock.ts';

export interface Ground {
  readonly state: string;
  readonly network: LocalNetwork;
  readonly release: () => void;
}

/** Ends what a crashed run left. Rejects when another run has the state or the network. */
export async function takeGround(directory: string, options: LocalOptions): Promise<Ground> {
  const state = resolve(options.state ?? join('.rekindle', directory.split('/').filter(Boolean).at(-1) ?? 'default'));
  for (const part of ['', 'objects', 'pods', 'logs']) makePrivateDirectory(join(state, part));
  const unlock = lockState(state);
  try {
    await endLeftovers(join(state, 'pods'), systemClock);
    const ports = options.ports ?? LOCAL_PORTS;
    const { prefix, release } = await reserveNetwork(options.network, ports.http);
    const giveBack = () => {
      release();
      unlock();
    };
    return { state, network: new LocalNetwork(prefix, ports, state), release: giveBack };
  } catch (error) {
    unlock();
    throw error;
  }
}
