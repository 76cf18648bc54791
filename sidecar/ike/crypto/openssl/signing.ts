/** Signatures of node:crypto. The key objects are made once and kept, for making one costs more than using it. */
import { constants, createPrivateKey, createPublicKey, type KeyObject, type SigningOptions, sign, verify } from 'node:crypto';
import type { Signing } from '../provider.ts';
import { Hash, type KeyKind, type SignatureScheme } from '../signature.ts';
import { plain } from './bytes.ts';

export const signing: Signing = {
  verifier(form, spki) {
    const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    return {
      bits: bitsOf(form.kind, key),
      verify: (scheme, data, signature) => verify(digests[scheme.hash], data, { key, ...options(scheme) }, signature),
    };
  },
  signer(form, pkcs8) {
    const key = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' });
    return {
      bits: bitsOf(form.kind, key),
      sign: (scheme, data) => plain(sign(digests[scheme.hash], data, { key, ...options(scheme) })),
      publicKey: () => plain(createPublicKey(key).export({ format: 'der', type: 'spki' })),
    };
  },
};

const digests: Readonly<Record<Hash, string | null>> = {
  [Hash.SHA1]: 'sha1',
  [Hash.SHA2_256]: 'sha256',
  [Hash.SHA2_384]: 'sha384',
  [Hash.SHA2_512]: 'sha512',
  [Hash.IDENTITY]: null,
};

const optionsOf: Readonly<Record<SignatureScheme['kind'], SigningOptions>> = {
  rsa: { padding: constants.RSA_PKCS1_PADDING },
  // RFC 7427 §4 and appendix A.4: MGF1 of the same hash, a salt as long as it.
  'rsa-pss': { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST },
  ecdsa: { dsaEncoding: 'der' },
  ed25519: {},
  ed448: {},
};
const options = ({ kind }: SignatureScheme): SigningOptions => optionsOf[kind];

const curveBits: Readonly<Record<Exclude<KeyKind, 'rsa'>, number>> = {
  'ec-p256': 256,
  'ec-p384': 384,
  'ec-p521': 521,
  ed25519: 255,
  ed448: 448,
};

/** Only an RSA key is asked for its details, which costs a third of making it. @throws RangeError for an RSA exponent with which one signature would take milliseconds to verify. */
function bitsOf(kind: KeyKind, key: KeyObject): number {
  if (kind !== 'rsa') return curveBits[kind];
  const { modulusLength = 0, publicExponent } = key.asymmetricKeyDetails ?? {};
  if (publicExponent !== undefined && (publicExponent < 3n || publicExponent >= 1n << 33n || publicExponent % 2n === 0n))
    throw new RangeError('an RSA exponent that is even, 1 or very large');
  return modulusLength;
}
