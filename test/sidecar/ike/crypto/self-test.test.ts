/** The self-test passes as things are, and notices each single algorithm when it is broken. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cryptography } from '../../../../sidecar/ike/crypto/cryptographies.ts';
import type { Cryptography } from '../../../../sidecar/ike/crypto/cryptography.ts';
import { selfTest } from '../../../../sidecar/ike/crypto/self-test.ts';
import type { Bytes } from '../../../../sidecar/ike/wire/bytes.ts';
import { openssl } from './vectors.ts';

const broken = (bytes: Bytes): Bytes => bytes.map((byte, index) => (index === 0 ? byte ^ 1 : byte));
const fails = (crypto: Cryptography, name: RegExp): void => assert.throws(() => selfTest(crypto), name);

describe('self-test', () => {
  it('passes whichever provider is asked for', () => {
    for (const name of ['auto', 'noble', 'openssl'] as const) selfTest(cryptography(name));
  });

  it('names the prf that answers wrong', () => {
    for (const [broke, name] of [
      [5, /PRF_HMAC_SHA2_256 /],
      [6, /PRF_HMAC_SHA2_384 /],
      [7, /PRF_HMAC_SHA2_512 /],
    ] as const) {
      const prf = (id: number) => {
        const good = openssl.prf(id);
        return good && id === broke ? { ...good, mac: (key: Bytes, data: Bytes) => broken(good.mac(key, data)) } : good;
      };
      fails({ ...openssl, prf }, name);
    }
  });

  it('names the prf whose derive and expand disagree', () => {
    const prf = (id: number) => {
      const good = openssl.prf(id);
      return good && { ...good, derive: (...of: Parameters<typeof good.derive>) => broken(good.derive(...of)) };
    };
    fails({ ...openssl, prf }, /PRF_HMAC_SHA2_256 /);
  });

  it('names the integrity algorithm that answers wrong', () => {
    for (const broke of [12, 13, 14]) {
      const integrity = (id: number) => {
        const good = openssl.integrity(id);
        return good && id === broke ? { ...good, mac: (key: Bytes, data: Bytes) => broken(good.mac(key, data)) } : good;
      };
      fails({ ...openssl, integrity }, /AUTH_HMAC_SHA2_/);
    }
  });

  it('names the encryption that seals wrong, or opens what was altered', () => {
    for (const [broke, bits] of [
      [20, 128],
      [20, 256],
      [28, 0],
      [12, 128],
      [12, 256],
    ] as const) {
      const sealingWrong = (id: number, keyBits: number) => {
        const good = openssl.encryption(id, keyBits);
        if (!good || id !== broke || keyBits !== bits) return good;
        // Wrong both ways, as a library with a wrong cipher is.
        return {
          ...good,
          seal: (...[key, ...of]: Parameters<typeof good.seal>) => good.seal(broken(key), ...of),
          open: (...[key, ...of]: Parameters<typeof good.open>) => good.open(broken(key), ...of),
        };
      };
      fails(
        { ...openssl, encryption: sealingWrong },
        broke === 12 ? /ENCR_AES_CBC/ : broke === 20 ? /ENCR_AES_GCM_16/ : /ENCR_CHACHA20/,
      );
    }
    const trusting = (id: number, keyBits: number) => {
      const good = openssl.encryption(id, keyBits);
      return (
        good && { ...good, open: (_key: Bytes, _iv: Bytes, _sealed: Bytes) => Uint8Array.from({ length: 32 }, (_, i) => 96 + i) }
      );
    };
    fails({ ...openssl, encryption: trusting }, /ENCR_AES_GCM_16/);
  });

  it('names the key exchange that is missing or answers wrong', () => {
    for (const broke of [14, 15, 16, 19, 20, 21, 31, 35, 36, 37]) {
      const wrong = (id: number) => {
        const good = openssl.keyExchange(id);
        return good && id === broke ? { ...good, conclude: (own: Bytes, peer: Bytes) => broken(good.conclude(own, peer)) } : good;
      };
      fails({ ...openssl, keyExchange: wrong }, /MODP|ECP|Curve25519|ML-KEM/);
    }
    fails({ ...openssl, keyExchange: (id) => (id === 31 ? undefined : openssl.keyExchange(id)) }, /Curve25519 does not work/);
  });

  it('names the signature that is missing, not verified, or verified whatever it is', () => {
    const { publicKey, privateKey } = openssl.signatures;
    const names = { rsa: /RSA/, 'ec-p256': /P-256/, 'ec-p384': /P-384/, 'ec-p521': /P-521/, ed25519: /Ed25519/, ed448: /Ed448/ };
    for (const [kind, name] of Object.entries(names)) {
      const answering = (verdict: boolean) => (spki: Bytes) => {
        const good = publicKey(spki);
        return good?.kind === kind ? { ...good, verify: () => verdict } : good;
      };
      fails({ ...openssl, signatures: { privateKey, publicKey: answering(true) } }, name);
      fails({ ...openssl, signatures: { privateKey, publicKey: answering(false) } }, name);
    }
    fails({ ...openssl, signatures: { privateKey, publicKey: () => undefined } }, /RSA .* does not work/);
  });

  it('notices sealing and hashes that are wrong', () => {
    const { sealing } = openssl;
    fails({ ...openssl, sealing: { ...sealing, sha1: (data) => broken(sealing.sha1(data)) } }, /SHA-1/);
    fails({ ...openssl, sealing: { ...sealing, sha256: (data) => broken(sealing.sha256(data)) } }, /SHA-256/);
    fails({ ...openssl, sealing: { ...sealing, subkey: (...of) => broken(sealing.subkey(...of)) } }, /XChaCha20/);
    fails({ ...openssl, sealing: { ...sealing, open: () => undefined } }, /XChaCha20/);
  });
});
