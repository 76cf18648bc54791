/** MODP groups (RFC 3526) of node:crypto. */
import { DiffieHellman, type DiffieHellmanGroup, getDiffieHellman } from 'node:crypto';
import type { Bytes } from '../../wire/bytes.ts';
import { modpPrimes } from '../modp-primes.ts';
import type { Group, Modp } from '../provider.ts';
import { plain } from './bytes.ts';

export function modpGroup(name: Modp): Group {
  const length = modpPrimes[name].toString(16).length / 2;
  let made: DiffieHellmanGroup | undefined;
  // Made once: OpenSSL does not know the prime of MODP-1024, and tests it for 30 ms each time; a stranger's message would cost two of that.
  const withSecret = <T>(secret: Bytes, use: (group: DiffieHellmanGroup) => T): T => {
    made ??= getDiffieHellman(name);
    const group = made;
    try {
      setSecret(group, secret);
      return use(group);
    } finally {
      setSecret(group, NO_SECRET);
    }
  };
  return {
    publicValue: (secret) =>
      withSecret(secret, (group) => {
        group.generateKeys();
        return leftPadded(group.getPublicKey(), length);
      }),
    agree: (secret, _own, peerValue) => withSecret(secret, (group) => plain(group.computeSecret(peerValue))),
  };
}

/**
 * A group object lends no `setPrivateKey`, but its sibling's works on it. The documented ways are no use for a secret of our own:
 * `createDiffieHellman(prime)` tests the prime anew (0.2 to 3 s), and with key objects OpenSSL raises the peer's value to the
 * order of the group, which for our safe primes says no more than the range check before (2 to 13 ms instead of 0.25 to 1.3).
 */
const setSecret = (group: DiffieHellmanGroup, secret: Bytes): void => DiffieHellman.prototype.setPrivateKey.call(group, secret);
/** What a group is left with. */
const NO_SECRET = Uint8Array.of(1);

function leftPadded(value: Bytes, length: number): Bytes {
  const out = new Uint8Array(length);
  out.set(value, length - value.length);
  return out;
}
