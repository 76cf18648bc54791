/** ECP groups (RFC 5903) of node:crypto. */
import { createECDH, createPrivateKey, createPublicKey, diffieHellman, type KeyObject } from 'node:crypto';
import { type Bytes, concat, unhex } from '../../wire/bytes.ts';
import type { Curve, Group } from '../provider.ts';
import { base64url, plain } from './bytes.ts';

export function ecpGroup(curve: Curve): Group {
  return {
    publicValue(secret) {
      const pair = createECDH(opensslNames[curve]);
      pair.setPrivateKey(secret);
      return new Uint8Array(pair.getPublicKey().subarray(1));
    },
    agree(secret, own, peerValue) {
      // Refuses a point that is not on the curve.
      const publicKey = createPublicKey({ key: jwk(curve, peerValue), format: 'jwk' });
      return plain(diffieHellman({ privateKey: privateKeys[curve](secret, own), publicKey }));
    },
  };
}

const opensslNames: Readonly<Record<Curve, string>> = { 'P-256': 'prime256v1', 'P-384': 'secp384r1', 'P-521': 'secp521r1' };

/**
 * With a JWK, OpenSSL computes the public value again, with SEC1 (RFC 5915) it takes our word for it.
 * P-256: 22 against 45 µs, P-384: 500 against 56, P-521: 1 180 against 59.
 */
const privateKeys: Readonly<Record<Curve, (secret: Bytes, own: Bytes) => KeyObject>> = {
  'P-256': (secret, own) => createPrivateKey({ key: { ...jwk('P-256', own), d: base64url(secret) }, format: 'jwk' }),
  'P-384': sec1('3081a4 020101 0430', 'a007 06052b81040022 a164 0362 00 04'),
  'P-521': sec1('3081dc 020101 0442', 'a007 06052b81040023 a18189 038186 00 04'),
};

function jwk(curve: Curve, point: Bytes): { kty: string; crv: string; x: string; y: string } {
  const half = point.length / 2;
  return { kty: 'EC', crv: curve, x: base64url(point.subarray(0, half)), y: base64url(point.subarray(half)) };
}

/** The DER before the secret, and between it and x | y: version, curve, tags and lengths. */
function sec1(before: string, between: string): (secret: Bytes, own: Bytes) => KeyObject {
  const [head, middle] = [before, between].map((der) => unhex(der.replaceAll(' ', ''))) as [Bytes, Bytes];
  return (secret, own) => createPrivateKey({ key: Buffer.from(concat(head, secret, middle, own)), format: 'der', type: 'sec1' });
}
