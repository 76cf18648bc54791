/** Which algorithms there are, whatever the provider. */
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { describe, it } from 'node:test';
import { cryptography, fastest } from '../../../../sidecar/ike/crypto/cryptographies.ts';
import { libcrypto } from '../../../../sidecar/ike/crypto/libcrypto/libcrypto.ts';
import { selfTest } from '../../../../sidecar/ike/crypto/self-test.ts';

for (const name of ['auto', 'noble', 'openssl'] as const) {
  describe(`cryptography '${name}'`, () => {
    const all = cryptography(name);

    it('has the algorithms of IKEv2 that we have, by their IANA numbers', () => {
      assert.equal(all.name, name);
      const found = <T extends { readonly id: number }>(get: (id: number) => T | undefined): number[] =>
        Array.from({ length: 64 }, (_, id) => get(id)?.id ?? -1).filter((id) => id >= 0);
      assert.deepEqual(found(all.prf), [2, 5, 6, 7]);
      assert.deepEqual(found(all.integrity), [2, 12, 13, 14]);
      assert.deepEqual(found(all.keyExchange), [2, 14, 15, 16, 19, 20, 21, 31, 35, 36, 37]);
    });

    it('has encryption by number and key length; ChaCha20-Poly1305 carries no key length', () => {
      const sizes = [0, 128, 192, 256];
      const found = Array.from({ length: 64 }, (_, id) => sizes.map((keyBits) => all.encryption(id, keyBits))).flat();
      const known = found.filter((algorithm) => algorithm !== undefined).map(({ id, keyBits }) => [id, keyBits]);
      assert.deepEqual(known, [
        [12, 128],
        [12, 256],
        [20, 128],
        [20, 256],
        [28, 0],
      ]);
    });

    it('answers undefined for numbers that it does not know', () => {
      for (const id of [-1, 0, 0.5, 65535, Number.NaN]) {
        assert.deepEqual(
          [all.prf(id), all.integrity(id), all.keyExchange(id), all.encryption(id, 256)],
          Array(4).fill(undefined),
        );
      }
    });
  });
}

describe('the providers', () => {
  it("are two: 'noble' asks nothing of node:crypto but ML-KEM, 'openssl' and today 'auto' cannot do without", (t) => {
    const used = ['hash', 'createHmac', 'hkdfSync', 'createCipheriv', 'diffieHellman', 'createECDH', 'getDiffieHellman'] as const;
    for (const name of used)
      t.mock.method(crypto, name, () => {
        throw new Error(`${name} is not there`);
      });
    syncBuiltinESMExports();
    t.after(() => {
      t.mock.restoreAll();
      syncBuiltinESMExports();
    });
    selfTest(cryptography('noble'));
    assert.throws(() => selfTest(cryptography('openssl')), /openssl.*does not work/);
    assert.throws(() => selfTest(cryptography('auto')), /auto.*does not work/);
  });

  it("are called directly by 'auto' here: koffi and the OpenSSL of the Node that the project pins make it so", () => {
    assert.equal(cryptography('auto').provider, 'libcrypto');
    assert.equal(cryptography('openssl').provider, 'openssl');
  });

  it('fall back to node:crypto when the direct way answers wrong', (t) => {
    assert.ok(libcrypto);
    t.mock.method(libcrypto.hashing, 'hmac', () => new Uint8Array(32));
    assert.equal(fastest().name, 'openssl');
  });

  it('take a key of no bytes for what it is, whatever key came before', () => {
    const [direct, node] = [cryptography('auto').sealing, cryptography('openssl').sealing];
    direct.hmacSha256(new Uint8Array(32).fill(1), new Uint8Array(1));
    assert.deepEqual(
      direct.hmacSha256(new Uint8Array(0), new Uint8Array(0)),
      node.hmacSha256(new Uint8Array(0), new Uint8Array(0)),
    );
  });
});
