/** Signatures of @noble/curves. It has no RSA, which OpenSSL does for this provider too. */

import { ed448 } from '@noble/curves/ed448.js';
import { ed25519 } from '@noble/curves/ed25519.js';
import { p256, p384, p521 } from '@noble/curves/nist.js';
import { sha1 } from '@noble/hashes/legacy.js';
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js';
import { type Bytes, concat, unhex } from '../../wire/bytes.ts';
import { signing as openssl } from '../openssl/signing.ts';
import type { Signer, Signing, Verifier } from '../provider.ts';
import { Hash } from '../signature.ts';

export const signing: Signing = {
  verifier: ({ kind, value }, spki) => (kind === 'rsa' ? openssl.verifier({ kind, value }, spki) : curves[kind].verifier(value)),
  signer: ({ kind, value }, pkcs8) => (kind === 'rsa' ? openssl.signer({ kind, value }, pkcs8) : curves[kind].signer(value)),
};

interface CurveSigning {
  verifier(point: Bytes): Verifier;
  signer(secret: Bytes): Signer;
}

const digests: Readonly<Record<Hash, (data: Bytes) => Bytes>> = {
  [Hash.SHA1]: sha1,
  [Hash.SHA2_256]: sha256,
  [Hash.SHA2_384]: sha384,
  [Hash.SHA2_512]: sha512,
  [Hash.IDENTITY]: (data) => data,
};

/** OpenSSL and everybody else makes and takes both values of s. */
const ECDSA = { prehash: false, lowS: false, format: 'der' } as const;

/** `head`: the DER of a SubjectPublicKeyInfo before the point. */
function ecdsa(curve: typeof p256, bits: number, head: string): CurveSigning {
  return {
    verifier(point) {
      curve.Point.fromBytes(point).assertValidity();
      return { bits, verify: ({ hash }, data, signature) => curve.verify(signature, digests[hash](data), point, ECDSA) };
    },
    signer(secret) {
      const scalar = paddedTo(Math.ceil(bits / 8), secret);
      const point = curve.getPublicKey(scalar, false);
      return {
        bits,
        sign: ({ hash }, data) => curve.sign(digests[hash](data), scalar, ECDSA),
        publicKey: () => concat(unhex(head), point),
      };
    },
  };
}

function eddsa(curve: typeof ed25519, bits: number, head: string): CurveSigning {
  return {
    verifier(point) {
      curve.Point.fromBytes(point, false).assertValidity();
      // RFC 8032 §5.1.7 as it stands, not the wider ZIP 215.
      return { bits, verify: (_scheme, data, signature) => curve.verify(signature, data, point, { zip215: false }) };
    },
    signer(secret) {
      const point = curve.getPublicKey(secret);
      return { bits, sign: (_scheme, data) => curve.sign(data, secret), publicKey: () => concat(unhex(head), point) };
    },
  };
}

/** RFC 5915 §3 wants the full length, not everybody writes it. */
function paddedTo(length: number, secret: Bytes): Bytes {
  if (secret.length > length) throw new RangeError('a scalar that is too long');
  return concat(new Uint8Array(length - secret.length), secret);
}

const curves = {
  'ec-p256': ecdsa(p256, 256, '3059301306072a8648ce3d020106082a8648ce3d030107034200'),
  'ec-p384': ecdsa(p384, 384, '3076301006072a8648ce3d020106052b81040022036200'),
  'ec-p521': ecdsa(p521, 521, '30819b301006072a8648ce3d020106052b8104002303818600'),
  ed25519: eddsa(ed25519, 255, '302a300506032b6570032100'),
  ed448: eddsa(ed448, 448, '3043300506032b6571033a00'),
};
