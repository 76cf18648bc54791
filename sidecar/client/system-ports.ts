/** The ports of a client in a real process. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { performance } from 'node:perf_hooks';
import { cryptography } from '../ike/crypto/cryptographies.ts';
import type { Cryptography } from '../ike/crypto/cryptography.ts';
import { selfTest } from '../ike/crypto/self-test.ts';
import { systemClock } from '../shell/clock.ts';
import { systemAfter } from '../shell/loop.ts';
import { pooledRandom } from '../shell/random.ts';
import type { ClientPorts } from './ports.ts';
import { addressTowards, openSocket } from './socket.ts';

/** @throws Error when an algorithm of the provider gives a wrong answer. */
export function systemPorts(provider: Cryptography['name'] = 'auto'): ClientPorts {
  const crypto = cryptography(provider);
  selfTest(crypto);
  return {
    ...{
      crypto,
      openSocket,
      resolve,
      sourceTowards: addressTowards,
      after: systemAfter,
      random: pooledRandom(),
      clock: systemClock(),
    },
    ticks: () => performance.now(),
  };
}

async function resolve(host: string, source: string | undefined): Promise<string> {
  const family = source === undefined ? 0 : isIP(source);
  if (isIP(host)) {
    if (family !== 0 && family !== isIP(host))
      throw new Error(`--source: ${source} and the gateway's address ${host} are of two versions of IP`);
    return host;
  }
  try {
    const { address } = await lookup(host, { family, order: 'verbatim' });
    return address;
  } catch (cause) {
    const version = family === 0 ? '' : ` of IPv${family}`;
    throw new Error(`no address${version} is known for ${host}; is the name right, is the network up?`, { cause });
  }
}
