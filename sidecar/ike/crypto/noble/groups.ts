/** Key exchange of @noble/curves; the MODP groups, which it lacks, in modp.ts. None of the noble packages that we have does ML-KEM: OpenSSL serves, whichever provider is forced. */
import { x25519 } from '@noble/curves/ed25519.js';
import { p256, p384, p521 } from '@noble/curves/nist.js';
import { concat } from '../../wire/bytes.ts';
import { groups as openssl } from '../openssl/groups.ts';
import type { Group, Groups } from '../provider.ts';
import { modpGroup } from './modp.ts';

export const groups: Groups = {
  x25519: {
    publicValue: (secret) => x25519.getPublicKey(secret),
    agree: (secret, _own, peerValue) => x25519.getSharedSecret(secret, peerValue),
  },
  ecp: { 'P-256': ecpGroup(p256), 'P-384': ecpGroup(p384), 'P-521': ecpGroup(p521) },
  modp: {
    modp2: modpGroup('modp2'),
    modp14: modpGroup('modp14'),
    modp15: modpGroup('modp15'),
    modp16: modpGroup('modp16'),
  },
  mlKem: openssl.mlKem,
};

const UNCOMPRESSED = Uint8Array.of(4);

function ecpGroup(curve: Pick<typeof p256, 'getPublicKey' | 'getSharedSecret'>): Group {
  return {
    publicValue: (secret) => curve.getPublicKey(secret, false).slice(1),
    agree(secret, _own, peerValue) {
      const point = curve.getSharedSecret(secret, concat(UNCOMPRESSED, peerValue), false);
      return point.slice(1, 1 + peerValue.length / 2);
    },
  };
}
