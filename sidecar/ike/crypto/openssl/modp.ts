/** MODP groups (RFC 3526) of node:crypto. */
import { DiffieHellman, type DiffieHellmanGroup, getDiffieHellman } from 'node:crypto';
import type { Bytes } from '../../wire/bytes.ts';
import { modpPrimes } from '../modp-primes.ts';
import type { Group, Modp } from '../provider.ts';
import { plain } from './bytes.ts';

export function modpGroup(name: Modp): Group {
  const length = modpPrimes[name].toString(16).length / 2;
  return {
    publicValue(secret) {
      const pair = withSecret(name, secret);
      pair.generateKeys();
      return leftPadded(pair.getPublicKey(), length);
    },
    agree: (secret, _own, peerValue) => plain(withSecret(name, secret).computeSecret(peerValue)),
  };
}

/**
 * A group object lends no `setPrivateKey`, but its sibling's works on it. The documented ways are no use for a secret of our own:
 * `createDiffieHellman(prime)` tests the prime anew (0.2 to 3 s), and with key objects OpenSSL raises the peer's value to the
 * order of the group, which for our safe primes says no more than the range check before (2 to 13 ms instead of 0.25 to 1.3).
 */
function withSecret(name: Modp, secret: Bytes): DiffieHellmanGroup {
  const group = getDiffieHellman(name);
  DiffieHellman.prototype.setPrivateKey.call(group, secret);
  return group;
}

function leftPadded(value: Bytes, length: number): Bytes {
  const out = new Uint8Array(length);
  out.set(value, length - value.length);
  return out;
}
