import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { newOwnedEspSpi, newOwnedSpi, ownerOf, type SpiKeys } from '../../../sidecar/ike/owned-spi.ts';
import { NO_SPI } from '../../../sidecar/ike/wire/message.ts';
import { AUDIENCE, counting, crypto, ring, ringKey } from './key-rings.ts';

const keys: SpiKeys = { ring: ring(ringKey(1, 'active')), crypto, audience: AUDIENCE };
const rotated = ring(ringKey(2, 'active'), ringKey(1, 'retired'));

/** Draws these, one after the other, then bytes that count up. */
function drawing(...draws: readonly Uint8Array[]): (length: number) => Uint8Array {
  const left = [...draws];
  const rest = counting();
  return (length) => left.shift() ?? rest(length);
}

describe('IKE SPIs', () => {
  it('name the pod that chose them to every sibling', () => {
    fc.assert(
      fc.property(fc.nat(254), fc.uint8Array({ minLength: 4, maxLength: 4 }), (ordinal, bytes) => {
        const spi = newOwnedSpi(ordinal, drawing(bytes), keys);
        assert.match(spi, /^[0-9a-f]{16}$/);
        assert.equal(ownerOf(spi, keys), ordinal);
        assert.equal(ownerOf(spi, { ...keys, ring: rotated }), ordinal, 'with a retired key too');
      }),
    );
  });

  it('name nobody with another ring or at another gateway', () => {
    const spi = newOwnedSpi(3, counting(), keys);
    assert.equal(ownerOf(spi, { ...keys, ring: ring(ringKey(2, 'active')) }), undefined);
    assert.equal(ownerOf(spi, { ...keys, audience: 'another' }), undefined);
  });

  it('cannot be made up: of random ones, as good as none names a pod', () => {
    const random = counting();
    const hits = Array.from({ length: 2000 }, () => ownerOf(newOwnedSpi(undefined, random, undefined), keys));
    assert.ok(hits.filter((owner) => owner !== undefined).length <= 2);
  });

  it('cannot be changed to name another pod', () => {
    const spi = newOwnedSpi(3, counting(), keys);
    assert.equal(ownerOf(`0004${spi.slice(4)}`, keys), undefined);
  });

  it('are random for a client, and never zero', () => {
    assert.equal(newOwnedSpi(undefined, drawing(new Uint8Array(8), new Uint8Array(8).fill(7)), keys), '07'.repeat(8));
    assert.equal(newOwnedSpi(3, drawing(new Uint8Array(8).fill(7)), undefined), '07'.repeat(8), 'no ring yet');
    assert.notEqual(newOwnedSpi(0, counting(), keys), NO_SPI);
  });
});

describe('ESP SPIs', () => {
  it('name the pod and are never reserved', () => {
    fc.assert(
      fc.property(fc.nat(254), fc.uint8Array({ minLength: 4, maxLength: 4 }), (ordinal, bytes) => {
        const spi = newOwnedEspSpi(ordinal, drawing(bytes, Uint8Array.of(9, 0, 0, 5)));
        assert.equal(spi >>> 24, ordinal);
        assert.ok(spi > 255 && spi <= 0xffff_ffff);
      }),
    );
  });

  it('are drawn again when they would be reserved', () => {
    assert.equal(newOwnedEspSpi(0, drawing(Uint8Array.of(1, 0, 0, 255), Uint8Array.of(1, 0, 1, 0))), 256);
    assert.equal(newOwnedEspSpi(undefined, drawing(Uint8Array.of(0, 0, 0, 255), Uint8Array.of(255, 0, 0, 1))), 0xff00_0001);
  });
});
