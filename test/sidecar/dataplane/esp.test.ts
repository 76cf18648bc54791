import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { sequenceOf, spiOf } from '../../../sidecar/dataplane/userspace/esp.ts';
import { type Bytes, concat, u32Bytes } from '../../../sidecar/ike/wire/bytes.ts';
import { crypto, ends, filled, gcm, providers, suites } from './children.ts';
import { ciphers, ciphersOf, EspInPlace } from './esp-in-place.ts';

const SPI = 0xc0ffee01;
const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
const sequences = fc.oneof(fc.integer({ min: 1, max: 0xffff_ffff }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }));

for (const provider of providers) {
  for (const suite of suites) {
    const name = `${provider.name}: ENCR ${suite.encr}-${suite.keyBits}, INTEG ${suite.integ}, ${suite.esn ? '64' : '32'}-bit sequence numbers`;
    describe(name, () => {
      const esp = new EspInPlace(ciphersOf(provider), suite, ends(SPI, { suite }).client.keyOut);

      it('opens what it sealed', () => {
        fc.assert(
          fc.property(bytes(200), sequences, fc.nat(255), (payload, sequence, nextHeader) => {
            const packet = esp.seal(SPI, sequence, payload, nextHeader);
            assert.equal(spiOf(packet), SPI);
            assert.equal(sequenceOf(packet), sequence % 2 ** 32);
            const opened = esp.open(packet, sequence);
            assert.ok(typeof opened === 'object');
            assert.equal(opened.nextHeader, nextHeader);
            assert.ok(Buffer.from(payload).equals(opened.payload));
          }),
          { numRuns: 20 },
        );
      });

      it('keeps the trailer on a 4-byte boundary (RFC 4303 §2.4)', () => {
        for (let length = 0; length < 40; length++) {
          const packet = esp.seal(SPI, 1, new Uint8Array(length));
          assert.equal((packet.length - esp.cipher.icvLength) % 4, 0);
        }
      });

      it('finds every flipped bit', () => {
        const packet = esp.seal(SPI, 5, filled(20, 9));
        for (let bit = 0; bit < packet.length * 8; bit++) {
          const bent = Uint8Array.from(packet, (byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
          assert.equal(esp.open(bent, 5), 'authentication', `bit ${bit}`);
        }
      });

      it('calls a packet malformed that has no room for IV, trailer and ICV', () => {
        const least = 8 + esp.cipher.ivLength + 2 + esp.cipher.icvLength;
        for (const length of [8, least - 1]) assert.equal(esp.open(new Uint8Array(length), 1), 'malformed');
        assert.equal(esp.open(new Uint8Array(least), 1), 'authentication');
      });

      it('answers any bytes, and throws for none', () => {
        fc.assert(
          fc.property(bytes(120), sequences, (packet, sequence) => {
            assert.ok(['authentication', 'malformed'].includes(String(esp.open(packet, sequence))));
          }),
          { numRuns: 50 },
        );
      });

      it(suite.esn ? 'authenticates the half of the sequence number that is not sent' : 'knows of no high half', () => {
        const packet = esp.seal(SPI, 5, filled(20, 9));
        const opened = esp.open(packet, 5 + 2 ** 32);
        if (suite.esn) assert.equal(opened, 'authentication');
        else assert.equal(typeof opened, 'object');
      });
    });
  }
}

describe('the trailer of an ESP packet', () => {
  const { keyOut } = ends(SPI).client;
  const esp = new EspInPlace(ciphers, gcm, keyOut);
  const encryption = crypto.encryption(gcm.encr, gcm.keyBits) ?? assert.fail();
  /** A packet that is authentic and holds this plaintext. */
  const packetOf = (...plaintext: readonly number[]): Bytes => {
    const header = concat(u32Bytes(SPI), u32Bytes(1));
    const aad = concat(u32Bytes(SPI), u32Bytes(0), u32Bytes(1));
    return concat(header, filled(8, 1), encryption.seal(keyOut.encr, filled(8, 1), Uint8Array.from(plaintext), aad));
  };

  it('is accepted when the padding counts 1, 2, 3', () => {
    assert.deepEqual(esp.open(packetOf(9, 9, 9, 1, 2, 3, 3, 4), 1), { nextHeader: 4, payload: Uint8Array.of(9, 9, 9) });
  });

  it('makes the packet malformed when the padding holds anything else (RFC 4303 §2.4)', () => {
    for (const padding of [
      [0, 0, 0],
      [1, 2, 4],
      [3, 2, 1],
    ])
      assert.equal(esp.open(packetOf(9, 9, 9, ...padding, 3, 4), 1), 'malformed');
  });

  it('makes the packet malformed when it claims more padding than there is', () => {
    assert.equal(esp.open(packetOf(1, 2, 3, 4), 1), 'malformed');
    assert.deepEqual(esp.open(packetOf(1, 2, 2, 59), 1), { nextHeader: 59, payload: new Uint8Array() });
    assert.equal(esp.open(packetOf(1, 2, 255, 59), 1), 'malformed');
  });
});

describe('keys', () => {
  it('of the wrong length are refused at once, not at the first packet', () => {
    assert.throws(
      () => ciphers.inbound(gcm, { encr: filled(32, 1), integ: new Uint8Array() }),
      /encryption key of a child has 32 bytes instead of 36/,
    );
  });

  it('for an algorithm that we do not have are refused', () => {
    assert.throws(
      () => ciphers.inbound({ ...gcm, encr: 3 }, { encr: filled(24, 1), integ: new Uint8Array() }),
      /no encryption algorithm 3/,
    );
    assert.throws(
      () => ciphers.inbound({ ...gcm, encr: 12, integ: 1 }, { encr: filled(32, 1), integ: filled(16, 1) }),
      /no integrity algorithm 1/,
    );
  });
});
