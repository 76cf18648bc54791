/** AUTH by hand (RFC 7296 §2.15), so that a mistake in it cannot hide behind two sides that make the same one. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, it } from 'node:test';
import { libreswanResumptionAuth, proves, resumptionAuth, sharedKeyAuth } from '../../../sidecar/ike/auth.ts';
import { concat, hex, utf8 } from '../../../sidecar/ike/wire/bytes.ts';
import { Prf } from '../../../sidecar/ike/wire/registry.ts';
import { crypto, SUITE } from '../../harness/peer.ts';
import { ALICE, GATEWAY, PSK } from '../../harness/policy.ts';

const filled = (byte: number, length = 32): Uint8Array => new Uint8Array(length).fill(byte);
const keys = { d: filled(1), ai: filled(0, 0), ar: filled(0, 0), ei: filled(2), er: filled(3), pi: filled(4), pr: filled(5) };
const first = { initiator: utf8('the first message'), responder: utf8('and its answer'), ni: filled(6), nr: filled(7) };
const proof = { suite: SUITE, keys, first };
const ctx = { crypto };

const hmac = (key: Uint8Array, ...data: Uint8Array[]): Uint8Array =>
  new Uint8Array(
    createHmac('sha256', key)
      .update(concat(...data))
      .digest(),
  );

describe('AUTH', () => {
  it('of the initiator is over its first message, the nonce of the responder and its identity', () => {
    // prf(prf(secret, "Key Pad for IKEv2"), RealMessage1 | NonceRData | prf(SK_pi, RestOfInitIDPayload))
    const identity = hmac(keys.pi, Uint8Array.of(3, 0, 0, 0), ALICE.data);
    const expected = hmac(hmac(PSK, utf8('Key Pad for IKEv2')), first.initiator, first.nr, identity);
    assert.equal(hex(sharedKeyAuth(proof, 'initiator', ALICE, PSK, ctx)), hex(expected));
  });

  it('of the responder is the mirror of it', () => {
    const identity = hmac(keys.pr, Uint8Array.of(2, 0, 0, 0), GATEWAY.data);
    const expected = hmac(hmac(PSK, utf8('Key Pad for IKEv2')), first.responder, first.ni, identity);
    assert.equal(hex(sharedKeyAuth(proof, 'responder', GATEWAY, PSK, ctx)), hex(expected));
  });

  it('after a resumption has SK_px in place of the padded secret', () => {
    const expected = hmac(keys.pi, first.initiator, first.nr, hmac(keys.pi, Uint8Array.of(3, 0, 0, 0), ALICE.data));
    assert.equal(hex(resumptionAuth(proof, 'initiator', ALICE, ctx)), hex(expected));
  });

  it('of libreswan after a resumption is over the first message alone', () => {
    assert.equal(hex(libreswanResumptionAuth(proof, 'responder', ctx)), hex(hmac(keys.pr, first.responder)));
  });

  it('is made with the prf of the SA', () => {
    assert.equal(
      sharedKeyAuth({ ...proof, suite: { ...SUITE, prf: Prf.HMAC_SHA2_512 } }, 'initiator', ALICE, PSK, ctx).length,
      64,
    );
  });

  it('differs by side, identity, secret, nonce and message', () => {
    const made = [
      sharedKeyAuth(proof, 'initiator', ALICE, PSK, ctx),
      sharedKeyAuth(proof, 'responder', ALICE, PSK, ctx),
      sharedKeyAuth(proof, 'initiator', GATEWAY, PSK, ctx),
      sharedKeyAuth(proof, 'initiator', { ...ALICE, idType: 2 }, PSK, ctx),
      sharedKeyAuth(proof, 'initiator', ALICE, utf8('another'), ctx),
      sharedKeyAuth({ ...proof, first: { ...first, nr: filled(8) } }, 'initiator', ALICE, PSK, ctx),
      sharedKeyAuth({ ...proof, first: { ...first, initiator: utf8('another') } }, 'initiator', ALICE, PSK, ctx),
      sharedKeyAuth({ ...proof, keys: { ...keys, pi: filled(9) } }, 'initiator', ALICE, PSK, ctx),
      resumptionAuth(proof, 'initiator', ALICE, ctx),
      libreswanResumptionAuth(proof, 'initiator', ctx),
    ];
    assert.equal(new Set(made.map(hex)).size, made.length);
  });

  it('proves only what is equal', () => {
    const made = sharedKeyAuth(proof, 'initiator', ALICE, PSK, ctx);
    assert.ok(proves(made, made.slice()));
    for (const wrong of [
      made.subarray(1),
      new Uint8Array(),
      concat(made, made),
      made.map((byte, at) => (at === 31 ? byte ^ 1 : byte)),
    ])
      assert.ok(!proves(made, wrong));
  });
});
