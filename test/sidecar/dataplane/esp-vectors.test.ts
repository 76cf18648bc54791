import assert from 'node:assert/strict';
import { createCipheriv, createHmac } from 'node:crypto';
import { describe, it } from 'node:test';
import { answerEcho, parseEchoReply } from '../../../sidecar/dataplane/userspace/icmp.ts';
import { concat, unhex } from '../../../sidecar/ike/wire/bytes.ts';
import { filled, gcm, parsed, providers } from './children.ts';
import { ciphersOf, EspInPlace } from './esp-in-place.ts';

const NONE = new Uint8Array();
const payload = unhex('48656c6c6f'); // 5 bytes and 1 of padding and 2 of trailer are two words
const salt = unhex('a0a1a2a3');
const noRandom = (): never => assert.fail('the IV of an AEAD is not random');

for (const provider of providers) {
  describe(`an ESP packet made by ${provider.name}`, () => {
    it('with ChaCha20-Poly1305 opens as in RFC 7634 appendix A', () => {
      const encr = unhex('808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3');
      const esp = new EspInPlace(ciphersOf(provider), { encr: 28, keyBits: 0, integ: 0, esn: false }, { encr, integ: NONE });
      assert.deepEqual(esp.open(rfc7634.packet, 5), { nextHeader: 4, payload: rfc7634.inner });
    });

    it('with AES-GCM is the one that RFC 4106 describes', () => {
      const key = filled(32, 1);
      for (const { esn, aad } of [
        { esn: false, aad: 'c0ffee0100000005' },
        { esn: true, aad: 'c0ffee010000000200000005' },
      ]) {
        const esp = new EspInPlace(ciphersOf(provider, noRandom), { ...gcm, esn }, { encr: concat(key, salt), integ: NONE });
        const sequence = (esn ? 2 * 2 ** 32 : 0) + 5;
        const iv = unhex(esn ? '0000000200000005' : '0000000000000005');
        const cipher = createCipheriv('aes-256-gcm', key, concat(salt, iv));
        cipher.setAAD(unhex(aad));
        const sealed = concat(cipher.update(concat(payload, unhex('010104'))), cipher.final(), cipher.getAuthTag());
        const expected = concat(unhex('c0ffee0100000005'), iv, sealed);
        assert.deepEqual(esp.seal(0xc0ffee01, sequence, payload, 4), expected);
      }
    });

    it('with AES-CBC and HMAC-SHA2-256-128 is the one that RFC 3602 and RFC 4868 describe', () => {
      for (const { esn, high } of [
        { esn: false, high: '' },
        { esn: true, high: '00000002' },
      ]) {
        const [encr, integ, iv] = [filled(16, 1), filled(32, 2), filled(16, 3)];
        const esp = new EspInPlace(
          ciphersOf(provider, () => iv),
          { encr: 12, keyBits: 128, integ: 12, esn },
          { encr, integ },
        );
        const sequence = (esn ? 2 * 2 ** 32 : 0) + 5;
        const cipher = createCipheriv('aes-128-cbc', encr, iv).setAutoPadding(false);
        const sealed = concat(cipher.update(concat(payload, unhex('0102030405060708090929'))), cipher.final());
        const body = concat(unhex('c0ffee0100000005'), iv, sealed);
        const icv = createHmac('sha256', integ).update(body).update(unhex(high)).digest().subarray(0, 16);
        const ours = esp.seal(0xc0ffee01, sequence, payload, 41);
        assert.deepEqual(ours, concat(body, icv));
      }
    });
  });
}

describe('the ping in RFC 7634 appendix A', () => {
  it('has correct checksums and is answered in kind', () => {
    const answer = answerEcho(parsed(rfc7634.inner));
    assert.ok(answer);
    const { source, destination, id, sequence, payload } = parseEchoReply(answer) ?? assert.fail('not an echo reply');
    assert.deepEqual([source, destination], [Uint8Array.of(192, 0, 2, 5), Uint8Array.of(198, 51, 100, 5)]);
    assert.deepEqual([id, sequence, payload], [0x3a08, 0, rfc7634.inner.subarray(28)]);
  });
});

const rfc7634 = {
  inner: unhex(
    '45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec10000736270809' +
      '0a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637',
  ),
  packet: unhex(
    '0102030400000005101112131415161724039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c6' +
      '14ee8099d52844eb61aa95dfab4c02f72aa71e7c4c4f64c9befe2facc638e8f3cbec163fac469b502773f6fb94e664da' +
      '9165b82829f641e076aaa8266b7fb0f7b11b369907e1ad43',
  ),
};
