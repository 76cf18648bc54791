/** Key exchange of node:crypto: X25519 here, ECP, MODP and ML-KEM beside. */
import { createPrivateKey, createPublicKey, diffieHellman, type KeyObject } from 'node:crypto';
import { type Bytes, concat, unhex } from '../../wire/bytes.ts';
import type { Groups } from '../provider.ts';
import { base64url, plain, unbase64url } from './bytes.ts';
import { ecpGroup } from './ecp.ts';
import { mlKem } from './ml-kem.ts';
import { modpGroup } from './modp.ts';

export const groups: Groups = {
  x25519: {
    publicValue: (secret) => unbase64url(x25519PrivateKey(secret).export({ format: 'jwk' }).x ?? ''),
    agree(secret, _own, peerValue) {
      const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x: base64url(peerValue) }, format: 'jwk' });
      return plain(diffieHellman({ privateKey: x25519PrivateKey(secret), publicKey }));
    },
  },
  ecp: { 'P-256': ecpGroup('P-256'), 'P-384': ecpGroup('P-384'), 'P-521': ecpGroup('P-521') },
  modp: {
    modp2: modpGroup('modp2'),
    modp14: modpGroup('modp14'),
    modp15: modpGroup('modp15'),
    modp16: modpGroup('modp16'),
  },
  mlKem: { 'ML-KEM-512': mlKem('ML-KEM-512'), 'ML-KEM-768': mlKem('ML-KEM-768'), 'ML-KEM-1024': mlKem('ML-KEM-1024') },
};

/** The DER of a PrivateKeyInfo (RFC 8410 §7) before the secret. */
const PKCS8 = unhex('302e020100300506032b656e04220420');

const x25519PrivateKey = (secret: Bytes): KeyObject =>
  createPrivateKey({ key: Buffer.from(concat(PKCS8, secret)), format: 'der', type: 'pkcs8' });
