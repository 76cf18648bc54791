import assert from 'node:assert/strict';
import { it } from 'node:test';
import { inspect } from 'node:util';
import { cryptography } from '../../../sidecar/ike/crypto/cryptographies.ts';
import { subkeys } from '../../../sidecar/ike/ring-subkeys.ts';
import { hex, unhex } from '../../../sidecar/ike/wire/bytes.ts';
import { AUDIENCE, crypto, ring, ringKey } from './key-rings.ts';

const twoKeys = ring(ringKey(2, 'retired'), ringKey(1, 'active'));

it('differ by key, purpose and audience, and in nothing else', () => {
  const purposes = ['ticket', 'hand-off', 'cookie', 'spi'] as const;
  const audiences = ['a', 'b'];
  const all = audiences.flatMap((audience) =>
    subkeys(twoKeys, audience, crypto).all.flatMap((key) => purposes.map((purpose) => hex(key.subkey(purpose)))),
  );
  assert.equal(new Set(all).size, 2 * 2 * 4);
  const again = ring(ringKey(1, 'active'), ringKey(3, 'next'));
  assert.deepEqual(
    subkeys(again, 'a', cryptography('noble')).active.subkey('ticket'),
    subkeys(twoKeys, 'a', cryptography('openssl')).active.subkey('ticket'),
  );
});

/** HKDF-SHA256 (RFC 5869), computed with Python's hmac. */
it('are HKDF of the secret, with the audience as salt and the purpose as info', () => {
  assert.equal(
    hex(subkeys(twoKeys, 'audience', crypto).active.subkey('ticket')),
    '83be6e87ed216c610cf63326da618762528c46f57ce133aca41a3e0c3834d277',
  );
});

it('are found by the id of their key, the active one first', () => {
  const { active, all, byId } = subkeys(twoKeys, AUDIENCE, crypto);
  assert.equal(active.id, '01'.repeat(8));
  assert.deepEqual(
    all.map(({ id }) => id),
    ['01'.repeat(8), '02'.repeat(8)],
  );
  assert.equal(byId(unhex('02'.repeat(8)))?.key.state, 'retired');
  assert.equal(byId(unhex('03'.repeat(8))), undefined);
});

it('are derived once for a ring', () => {
  assert.equal(subkeys(twoKeys, AUDIENCE, crypto), subkeys(twoKeys, AUDIENCE, crypto));
  const { active } = subkeys(twoKeys, AUDIENCE, crypto);
  assert.equal(active.subkey('spi'), active.subkey('spi'));
});

it('do not show when they are printed', () => {
  const known = subkeys(twoKeys, AUDIENCE, crypto);
  const subkey = known.active.subkey('ticket');
  for (const printed of [inspect(known, { depth: 9 }), JSON.stringify(known)]) {
    assert.ok(!printed.includes(hex(subkey)) && !printed.includes([...subkey.subarray(0, 4)].join(', ')));
  }
});

it('need an active key', () => {
  assert.throws(() => subkeys(ring(ringKey(1, 'next')), AUDIENCE, crypto), RangeError);
});
