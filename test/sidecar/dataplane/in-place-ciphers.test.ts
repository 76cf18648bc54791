import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { ChildSa } from '../../../sidecar/contract/dataplane.ts';
import { inPlaceCiphers } from '../../../sidecar/dataplane/esp-thread/in-place-ciphers.ts';
import { agree } from '../../../sidecar/dataplane/esp-thread/in-place-self-test.ts';
import { loadNative } from '../../../sidecar/dataplane/esp-thread/native.ts';
import { SCRATCH_BYTES } from '../../../sidecar/dataplane/esp-thread/openssl.ts';
import type { EspCipher, EspCiphers } from '../../../sidecar/dataplane/userspace/esp-cipher.ts';
import { providerCiphers } from '../../../sidecar/dataplane/userspace/provider-ciphers.ts';
import { crypto, ends, filled, suites } from './children.ts';
import { ciphers, EspInPlace } from './esp-in-place.ts';

const SPI = 0xc0ffee01;
const native = await loadNative();
const none = (): never => assert.fail('not by OpenSSL itself');
const others: EspCiphers = { outbound: none, inbound: none };
const sequences = fc.oneof(fc.integer({ min: 1, max: 0xffff_ffff }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }));

describe('ciphers in place', { skip: native === undefined && 'no koffi here' }, () => {
  for (const suite of suites) {
    it(`ENCR ${suite.encr}-${suite.keyBits}, INTEG ${suite.integ}, ${suite.esn ? '64' : '32'} bits: understand the providers and are understood`, () => {
      const { keyOut } = ends(SPI, { suite }).client;
      const arena = native?.allocate(SCRATCH_BYTES + 4096) ?? assert.fail();
      const where = { bytes: arena.bytes.subarray(SCRATCH_BYTES), view: new DataView(arena.bytes.buffer, SCRATCH_BYTES) };
      const shifted = { ...where, base: arena.base + SCRATCH_BYTES, words: new Int32Array(arena.bytes.buffer, SCRATCH_BYTES) };
      const ours = new EspInPlace(inPlaceCiphers(native ?? assert.fail(), shifted, 3072, crypto, others), suite, keyOut, where);
      const theirs = new EspInPlace(ciphers, suite, keyOut);
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 200 }), sequences, (payload, sequence) => {
          const opened = { nextHeader: 4, payload: Uint8Array.from(payload) };
          const sealed = ours.seal(SPI, sequence, payload);
          assert.deepEqual(theirs.open(sealed, sequence), opened);
          const others = theirs.seal(SPI, sequence, payload);
          if (suite.encr !== 12) assert.deepEqual(sealed, others);
          assert.deepEqual(ours.open(others, sequence), opened);
        }),
        { numRuns: 30 },
      );
      const packet = ours.seal(SPI, 5, filled(20, 9));
      for (let bit = 0; bit < packet.length * 8; bit++) {
        const bent = Uint8Array.from(packet, (byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
        assert.equal(ours.open(bent, 5), 'authentication', `bit ${bit}`);
      }
      if (suite.esn) assert.equal(ours.open(packet, 5 + 2 ** 32), 'authentication');
      const least = 8 + ours.cipher.ivLength + 2 + ours.cipher.icvLength;
      for (const length of [8, least - 1]) assert.equal(ours.open(new Uint8Array(length), 1), 'malformed');
      assert.equal(ours.open(new Uint8Array(least), 1), 'authentication');
    });
  }

  it('are used only when they agree with the provider', () => {
    const arena = native?.allocate(SCRATCH_BYTES + 4096) ?? assert.fail();
    const theirs = providerCiphers(arena, crypto, (length) => filled(length, 3));
    const ours = inPlaceCiphers(native ?? assert.fail(), arena, 4096, crypto, others);
    assert.equal(agree(arena, 0, ours, theirs), true);
    const broken = (suite: ChildSa['suite'], keys: ChildSa['keyOut']) =>
      ours.outbound(suite, { ...keys, encr: Uint8Array.from(keys.encr, (byte) => byte ^ 1) });
    assert.equal(agree(arena, 0, { ...ours, outbound: broken }, theirs), false);
    const trusting = (suite: ChildSa['suite'], keys: ChildSa['keyIn']) => {
      const cipher = ours.inbound(suite, keys);
      return { ...sizesOf(cipher), seal: () => {}, free: () => cipher.free(), open: opening(cipher) };
    };
    assert.equal(agree(arena, 0, { ...ours, inbound: trusting }, theirs), false);
  });
});

const sizesOf = ({ ivLength, icvLength, blockLength }: EspCipher) => ({ ivLength, icvLength, blockLength });

/** Takes a wrong ICV for a right one. */
const opening =
  (cipher: EspCipher): EspCipher['open'] =>
  (...packet) => {
    cipher.open(...packet);
    return 'authentic';
  };
