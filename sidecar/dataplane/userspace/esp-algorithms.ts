/** The algorithms that a child was negotiated with, looked up and its keys checked, once. */
import type { ChildSa } from '../../contract/dataplane.ts';
import type { Cryptography, Encryption, Integrity } from '../../ike/crypto/cryptography.ts';

export interface EspAlgorithms {
  readonly encryption: Encryption;
  /** Undefined with an AEAD. */
  readonly integrity: Integrity | undefined;
}

/** @throws Error for an algorithm that we do not have, or keys of the wrong size. */
export function espAlgorithms(crypto: Cryptography, suite: ChildSa['suite'], keys: ChildSa['keyIn']): EspAlgorithms {
  const encryption = crypto.encryption(suite.encr, suite.keyBits);
  if (!encryption) throw new Error(`no encryption algorithm ${suite.encr} with ${suite.keyBits} bits`);
  const integrity = encryption.aead ? undefined : crypto.integrity(suite.integ);
  if (!encryption.aead && !integrity)
    throw new Error(`no integrity algorithm ${suite.integ} for encryption algorithm ${suite.encr}`);
  expectLength('encryption', keys.encr, encryption.keyLength);
  if (integrity) expectLength('integrity', keys.integ, integrity.keyLength);
  return { encryption, integrity };
}

function expectLength(what: string, key: Uint8Array, length: number): void {
  if (key.length !== length) throw new Error(`the ${what} key of a child has ${key.length} bytes instead of ${length}`);
}
