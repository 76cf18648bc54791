/** ML-KEM (FIPS 203) of node:crypto. A private key is its seed d | z, 64 bytes, which every version of OpenSSL that has ML-KEM reads. */
import { createPrivateKey, createPublicKey, decapsulate, encapsulate, type KeyObject } from 'node:crypto';
import { type Bytes, concat, unhex } from '../../wire/bytes.ts';
import type { Kem, MlKem } from '../provider.ts';
import { plain } from './bytes.ts';

export function mlKem(name: MlKem): Kem {
  const { privateHead, publicHead } = heads[name];
  const privateKey = (seed: Bytes): KeyObject =>
    createPrivateKey({ key: Buffer.from(concat(privateHead, seed)), format: 'der', type: 'pkcs8' });
  return {
    publicValue(seed) {
      const der = createPublicKey(privateKey(seed)).export({ format: 'der', type: 'spki' });
      return new Uint8Array(der.subarray(publicHead.length));
    },
    encapsulate(publicValue) {
      // Refuses what FIPS 203 §7.2 forbids: a coefficient that is not reduced.
      const publicKey = createPublicKey({ key: Buffer.from(concat(publicHead, publicValue)), format: 'der', type: 'spki' });
      const { ciphertext, sharedKey } = encapsulate(publicKey);
      return { ciphertext: plain(ciphertext), shared: plain(sharedKey) };
    },
    decapsulate: (seed, ciphertext) => plain(decapsulate(privateKey(seed), ciphertext)),
  };
}

/** The DER of a PrivateKeyInfo before the seed, and of a SubjectPublicKeyInfo before the encapsulation key (RFC 9935). */
const heads: Readonly<Record<MlKem, { readonly privateHead: Bytes; readonly publicHead: Bytes }>> = {
  'ML-KEM-512': der('01', '30820332', '82032100'),
  'ML-KEM-768': der('02', '308204b2', '8204a100'),
  'ML-KEM-1024': der('03', '30820632', '82062100'),
};

function der(parameterSet: string, sequence: string, bitString: string): { privateHead: Bytes; publicHead: Bytes } {
  const algorithm = `300b06096086480165030404${parameterSet}`;
  return {
    privateHead: unhex(`3054020100${algorithm}04428040`),
    publicHead: unhex(`${sequence}${algorithm}03${bitString}`),
  };
}
