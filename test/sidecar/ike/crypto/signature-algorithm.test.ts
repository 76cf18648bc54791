/** AlgorithmIdentifiers as RFC 7427 appendix A prints them and as peers spell them, and what is signed with. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Hash, type SignatureScheme } from '../../../../sidecar/ike/crypto/signature.ts';
import { algorithmIdentifier, schemeOf } from '../../../../sidecar/ike/crypto/signature-algorithm.ts';
import { schemesFor } from '../../../../sidecar/ike/crypto/signature-choice.ts';
import { hex, unhex } from '../../../../sidecar/ike/wire/bytes.ts';

const printed: readonly (readonly [SignatureScheme, string])[] = [
  [{ kind: 'rsa', hash: Hash.SHA1 }, '300d06092a864886f70d0101050500'],
  [{ kind: 'rsa', hash: Hash.SHA2_256 }, '300d06092a864886f70d01010b0500'],
  [{ kind: 'rsa', hash: Hash.SHA2_384 }, '300d06092a864886f70d01010c0500'],
  [{ kind: 'rsa', hash: Hash.SHA2_512 }, '300d06092a864886f70d01010d0500'],
  [{ kind: 'ecdsa', hash: Hash.SHA1 }, '300906072a8648ce3d0401'],
  [{ kind: 'ecdsa', hash: Hash.SHA2_256 }, '300a06082a8648ce3d040302'],
  [{ kind: 'ecdsa', hash: Hash.SHA2_384 }, '300a06082a8648ce3d040303'],
  [{ kind: 'ecdsa', hash: Hash.SHA2_512 }, '300a06082a8648ce3d040304'],
  [
    { kind: 'rsa-pss', hash: Hash.SHA1 },
    '303e06092a864886f70d01010a3031a00b300906052b0e03021a0500a118301606092a864886f70d010108300906052b0e03021a0500a203020114a303020101',
  ],
  [
    { kind: 'rsa-pss', hash: Hash.SHA2_256 },
    '304606092a864886f70d01010a3039a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120a303020101',
  ],
  [{ kind: 'ed25519', hash: Hash.IDENTITY }, '300506032b6570'],
  [{ kind: 'ed448', hash: Hash.IDENTITY }, '300506032b6571'],
];

const read = (digits: string): SignatureScheme | undefined => schemeOf(unhex(digits));

describe('AlgorithmIdentifier', () => {
  it('is written as RFC 7427 appendix A and RFC 8420 appendix A print it, and read back', () => {
    for (const [scheme, digits] of printed) {
      assert.equal(hex(algorithmIdentifier(scheme)), digits);
      assert.deepEqual(read(digits), scheme);
    }
  });

  it('is read as strongSwan and OpenSSL write RSASSA-PSS: no trailer field, with and without NULL', () => {
    const pss = { kind: 'rsa-pss', hash: Hash.SHA2_256 };
    const [named, bare] = ['300d06096086480165030402010500', '300b0609608648016503040201'];
    const mgf1 = '06092a864886f70d010108';
    assert.deepEqual(read(`304106092a864886f70d01010a3034a00f${named}a11c301a${mgf1}${named}a203020120`), pss);
    assert.deepEqual(read(`303d06092a864886f70d01010a3030a00d${bare}a11a3018${mgf1}${bare}a203020120`), pss);
  });

  it('is read with the defaults of RSASSA-PSS left out: SHA-1', () => {
    assert.deepEqual(read('300d06092a864886f70d01010a3000'), { kind: 'rsa-pss', hash: Hash.SHA1 });
  });

  it('is unknown with another salt, another hash in MGF1, MD5, DSA, or anything after it', () => {
    const pss = printed[9]?.[1] ?? '';
    for (const other of [
      pss.replace('a203020120', 'a203020114'),
      pss.replace('608648016503040201', '608648016503040202'),
      '300d06092a864886f70d0101040500',
      '300906072a8648ce380403',
      `${pss}00`,
      '',
    ])
      assert.equal(read(other), undefined, other);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => schemeOf(bytes) === undefined));
  });

  it('does not exist for a hash that the kind does not take', () => {
    assert.throws(() => algorithmIdentifier({ kind: 'ecdsa', hash: Hash.IDENTITY }), RangeError);
    assert.throws(() => algorithmIdentifier({ kind: 'ed25519', hash: Hash.SHA2_512 }), RangeError);
  });
});

describe('what is signed with', () => {
  const names = (key: Parameters<typeof schemesFor>[0], ...hashes: readonly number[]): readonly string[] =>
    schemesFor(key, hashes).map(({ kind, hash }) => `${kind}/${hash}`);

  it('has a hash that the peer names, as strong as the key first', () => {
    assert.deepEqual(names('ec-p256', 1, 2, 3, 4), ['ecdsa/2', 'ecdsa/3', 'ecdsa/4']);
    assert.deepEqual(names('ec-p384', 4, 3, 2), ['ecdsa/3', 'ecdsa/4', 'ecdsa/2']);
    assert.deepEqual(names('ec-p521', 2, 3), ['ecdsa/3', 'ecdsa/2']);
    assert.deepEqual(names('rsa', 4, 2), ['rsa/2', 'rsa/4', 'rsa-pss/2', 'rsa-pss/4']);
  });

  it('is never SHA-1, and EdDSA only for a peer that names the identity hash (RFC 8420 §2)', () => {
    for (const key of ['rsa', 'ec-p256', 'ec-p384', 'ec-p521'] as const) assert.deepEqual(names(key, 1, 5, 77), []);
    for (const key of ['ed25519', 'ed448'] as const) {
      assert.deepEqual(names(key, 1, 2, 3, 4), []);
      assert.deepEqual(names(key, 2, 5), [`${key}/5`]);
    }
  });
});
