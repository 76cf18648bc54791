/** The negotiated algorithms of a suite, looked up in the cryptography table; what was negotiated is always there. */
import type { Cryptography, Encryption, Integrity, KeyExchange, Prf } from './crypto/cryptography.ts';
import type { IkeSuite } from './crypto/suite.ts';
import { ProtocolError } from './error.ts';
import { Notify } from './wire/registry.ts';

export const prfOf = (crypto: Cryptography, suite: Pick<IkeSuite, 'prf'>): Prf => found(crypto.prf(suite.prf));

export const encryptionOf = (crypto: Cryptography, suite: Pick<IkeSuite, 'encr' | 'keyBits'>): Encryption =>
  found(crypto.encryption(suite.encr, suite.keyBits));

export const integrityOf = (crypto: Cryptography, suite: Pick<IkeSuite, 'integ'>): Integrity =>
  found(crypto.integrity(suite.integ));

export const keyExchangeOf = (crypto: Cryptography, id: number): KeyExchange => found(crypto.keyExchange(id));

/** A suite can name what this build lacks only when it came from elsewhere: a ticket or another pod. */
function found<T>(algorithm: T | undefined): T {
  if (algorithm === undefined) throw new ProtocolError('abort', Notify.NO_PROPOSAL_CHOSEN, 'an algorithm that we do not have');
  return algorithm;
}
