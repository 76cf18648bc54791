import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { type CookieClaim, type CookieKeys, cookie, cookieValid } from '../../../sidecar/ike/cookie.ts';
import { type Instant, later } from '../../../sidecar/ike/sa.ts';
import { unhex } from '../../../sidecar/ike/wire/bytes.ts';
import { AUDIENCE, crypto, NOW, ring, ringKey } from './key-rings.ts';

const keys: CookieKeys = { ring: ring(ringKey(1, 'active')), crypto, audience: AUDIENCE, now: NOW };
const claim: CookieClaim = { ni: new Uint8Array(32).fill(9), address: unhex('c0000201'), spiI: '0011223344556677' };
const MINUTE = 60_000;

const anyClaim: fc.Arbitrary<CookieClaim> = fc.record({
  ni: fc.uint8Array({ minLength: 16, maxLength: 256 }),
  address: fc.constantFrom(4, 16).chain((length) => fc.uint8Array({ minLength: length, maxLength: length })),
  spiI: fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString('hex')),
});

it('is good for what it was given for, at once and a minute later', () => {
  fc.assert(
    fc.property(anyClaim, fc.nat(2 ** 41), fc.nat(MINUTE), (one, start, wait) => {
      const given = cookie({ ...keys, now: start as Instant }, one);
      assert.ok(cookieValid({ ...keys, now: later(start as Instant, wait) }, one, given));
    }),
  );
});

/** RFC 7296 §2.6: 1 to 64 octets. */
it('has a length that the RFC allows', () => {
  const { length } = cookie(keys, claim);
  assert.ok(length >= 1 && length <= 64);
});

const others: Record<string, Partial<CookieClaim>> = {
  'another nonce': { ni: new Uint8Array(32).fill(8) },
  'another address': { address: unhex('c0000202') },
  'the address in the other family': { address: unhex('00000000000000000000ffffc0000201') },
  'another SPI': { spiI: '0011223344556678' },
  'a byte moved from the address to the nonce': { address: unhex('c00002'), ni: Uint8Array.of(1, ...claim.ni) },
};
for (const [what, other] of Object.entries(others)) {
  it(`is not good for ${what}`, () => assert.ok(!cookieValid(keys, { ...claim, ...other }, cookie(keys, claim))));
}

it('gets old', () => {
  const given = cookie(keys, claim);
  for (const ms of [2 * MINUTE, 256 * MINUTE, -2 * MINUTE]) {
    assert.ok(!cookieValid({ ...keys, now: later(NOW, ms) }, claim, given), `${ms}`);
  }
});

it('is good at a pod whose clock is a minute behind', () => {
  assert.ok(cookieValid({ ...keys, now: later(NOW, -MINUTE) }, claim, cookie(keys, claim)));
});

it('is not good with any bit changed, nor shorter or longer', () => {
  const given = cookie(keys, claim);
  for (let bit = 0; bit < 8 * given.length; bit++) {
    const changed = given.map((byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
    assert.ok(!cookieValid(keys, claim, changed), `bit ${bit}`);
  }
  for (const wrong of [given.subarray(1), given.subarray(0, -1), Uint8Array.of(...given, 0), new Uint8Array()]) {
    assert.ok(!cookieValid(keys, claim, wrong));
  }
});

it('is good at every pod of the gateway that has its key, in whatever state, and at no other gateway', () => {
  const given = cookie(keys, claim);
  const rotated = ring(ringKey(2, 'active'), ringKey(1, 'retired'));
  assert.ok(cookieValid({ ...keys, ring: rotated }, claim, given));
  assert.ok(cookieValid({ ...keys, ring: ring(ringKey(2, 'active'), ringKey(1, 'next')) }, claim, given));
  assert.ok(!cookieValid({ ...keys, ring: ring(ringKey(2, 'active')) }, claim, given));
  assert.ok(!cookieValid({ ...keys, audience: 'another' }, claim, given));
});

it('survives any bytes', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => assert.ok(!cookieValid(keys, claim, bytes))));
});
