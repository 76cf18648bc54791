/** Keying material of IKE SAs (RFC 7296 §2.14, §2.18, RFC 5723 §5.1) and of child SAs (RFC 7296 §2.17). */
import { ProtocolError } from '../error.ts';
import { type Bytes, concat, EMPTY, unhex, utf8 } from '../wire/bytes.ts';
import { Notify } from '../wire/registry.ts';
import type { Cryptography, Prf } from './cryptography.ts';
import type { EspSuite, IkeSuite } from './suite.ts';

/** SK_d, SK_ai, SK_ar and so on; `ai` and `ar` are empty with an AEAD. */
export interface IkeKeys {
  readonly d: Bytes;
  readonly ai: Bytes;
  readonly ar: Bytes;
  readonly ei: Bytes;
  readonly er: Bytes;
  readonly pi: Bytes;
  readonly pr: Bytes;
}

/** What SKEYSEED is made of; SPIs in hex, both of the new SA. */
export type IkeSeed = { readonly ni: Bytes; readonly nr: Bytes; readonly spiI: string; readonly spiR: string } & (
  | { readonly from: 'full'; readonly shared: Bytes }
  | { readonly from: 'resumption'; readonly oldD: Bytes }
  | {
      readonly from: 'rekey';
      readonly oldD: Bytes;
      readonly oldPrf: number;
      readonly shared: Bytes;
      readonly further?: readonly Bytes[];
    }
);

/** Keys of one direction; `integ` is empty with an AEAD. */
export interface DirectionKeys {
  readonly encr: Bytes;
  readonly integ: Bytes;
}

/** Keys of a child by who sends with them. */
export interface ChildKeys {
  readonly initiator: DirectionKeys;
  readonly responder: DirectionKeys;
}

/** {SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr} = prf+ (SKEYSEED, Ni | Nr | SPIi | SPIr). RFC 7296 §2.14. */
export function ikeKeys(crypto: Cryptography, suite: IkeSuite, seed: IkeSeed): IkeKeys {
  const prf = found(crypto.prf(suite.prf));
  const { encr, integ } = keyLengths(crypto, suite);
  const length = 3 * prf.length + 2 * (encr + integ);
  const take = taker(seededBy(crypto, prf, seed, length));
  return {
    d: take(prf.length),
    ai: take(integ),
    ar: take(integ),
    ei: take(encr),
    er: take(encr),
    pi: take(prf.length),
    pr: take(prf.length),
  };
}

/** KEYMAT = prf+ (SK_d, [g^ir |] Ni | Nr [| SK(1) | SK(2) ...]); `shared` with perfect forward secrecy only, `prf` that of the IKE SA. RFC 7296 §2.17, RFC 9370 §2.2.4. */
export function childKeys(
  crypto: Cryptography,
  suite: Pick<EspSuite, 'encr' | 'keyBits' | 'integ'>,
  prf: number,
  skD: Bytes,
  ni: Bytes,
  nr: Bytes,
  shared: Bytes | undefined,
  further: readonly Bytes[] = [],
): ChildKeys {
  const { encr, integ } = keyLengths(crypto, suite);
  const seed = concat(shared ?? EMPTY, ni, nr, ...further);
  const take = taker(found(crypto.prf(prf)).expand(skD, seed, 2 * (encr + integ)));
  // RFC 7296 §2.17: what the initiator sends comes first, and the encryption key before the integrity key.
  return {
    initiator: { encr: take(encr), integ: take(integ) },
    responder: { encr: take(encr), integ: take(integ) },
  };
}

/** prf+ (SKEYSEED, Ni | Nr | SPIi | SPIr); SKEYSEED is a prf itself, so both are one `derive`. */
function seededBy(crypto: Cryptography, prf: Prf, seed: IkeSeed, length: number): Bytes {
  const { ni, nr } = seed;
  const info = concat(ni, nr, unhex(seed.spiI), unhex(seed.spiR));
  switch (seed.from) {
    case 'full': // SKEYSEED = prf (Ni | Nr, g^ir). RFC 7296 §2.14.
      return prf.derive(concat(ni, nr), seed.shared, info, length);
    case 'resumption': // SKEYSEED = prf (SK_d (old), "Resumption" | Ni | Nr). RFC 5723 §5.1.
      return prf.derive(seed.oldD, concat(utf8('Resumption'), ni, nr), info, length);
    case 'rekey': {
      // SKEYSEED = prf (SK_d (old), g^ir (new) | Ni | Nr [| SK(1) | SK(2) ...]), and RFC 7296 §2.18: the prf of the old SA gives it. RFC 9370 §2.2.4.
      const secret = concat(seed.shared, ni, nr, ...(seed.further ?? []));
      if (seed.oldPrf === prf.id) return prf.derive(seed.oldD, secret, info, length);
      return prf.expand(found(crypto.prf(seed.oldPrf)).mac(seed.oldD, secret), info, length);
    }
  }
}

/** Bytes of encryption and of integrity key for one direction. */
function keyLengths(
  crypto: Cryptography,
  suite: Pick<IkeSuite, 'encr' | 'keyBits' | 'integ'>,
): { readonly encr: number; readonly integ: number } {
  const encryption = found(crypto.encryption(suite.encr, suite.keyBits));
  const integ = encryption.aead ? 0 : found(crypto.integrity(suite.integ)).keyLength;
  return { encr: encryption.keyLength, integ };
}

/** Consecutive pieces, copied so that none keeps the others in memory. */
function taker(keymat: Bytes): (length: number) => Bytes {
  let at = 0;
  return (length) => {
    const piece = keymat.slice(at, at + length);
    at += length;
    return piece;
  };
}

/** What was negotiated is there; a suite that came in a ticket or from another pod may name what this build lacks. */
function found<T>(algorithm: T | undefined): T {
  if (algorithm === undefined) throw new ProtocolError('abort', Notify.NO_PROPOSAL_CHOSEN, 'an algorithm that we do not have');
  return algorithm;
}
