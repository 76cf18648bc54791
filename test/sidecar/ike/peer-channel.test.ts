import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { identityKey } from '../../../sidecar/ike/addresses.ts';
import { ProtocolError } from '../../../sidecar/ike/error.ts';
import {
  type Answer,
  type LeaseNotice,
  openAnswer,
  openQuestion,
  type PeerKeys,
  type PeerSealing,
  type Question,
  sealAnswer,
  sealQuestion,
} from '../../../sidecar/ike/peer-channel.ts';
import { parseAnswer, parseQuestion } from '../../../sidecar/ike/peer-words.ts';
import type { Instant } from '../../../sidecar/ike/sa.ts';
import { type Bytes, concat } from '../../../sidecar/ike/wire/bytes.ts';
import { encodeCbor, type Plain } from '../../../sidecar/ike/wire/cbor.ts';
import { blob } from '../../harness/arbitrary-payload.ts';
import { address, identity } from './arbitrary-sa.ts';
import { AUDIENCE, counting, crypto, NOW, ring, ringKey } from './key-rings.ts';

const keys: PeerKeys = { ring: ring(ringKey(1, 'active')), crypto, audience: AUDIENCE };
const sealing: PeerSealing = { ...keys, random: counting() };
const dropped = (error: unknown): boolean => error instanceof ProtocolError && error.verdict === 'drop';

const plain = { noNullPrototype: true } as const;
const instant = fc.oneof(fc.nat(2 ** 42), fc.constant(Number.POSITIVE_INFINITY)) as fc.Arbitrary<Instant>;
const spi = fc.constantFrom('0011223344556677', '8899aabbccddeeff');
const ordinal = fc.nat(254);
const lease: fc.Arbitrary<LeaseNotice> = fc.record(
  {
    address,
    identity: identity.map(identityKey),
    forMs: fc.nat(100_000),
    ageMs: fc.nat(100_000),
    oldSpi: fc.option(spi, { nil: undefined }),
  },
  plain,
);
const leases = fc.array(lease, { maxLength: 4 });
const asked = { nonce: blob(16, 16), from: ordinal, incarnation: blob(16, 16), to: ordinal, at: instant };
const spent = fc.record({ id: blob(16, 16), until: instant }, plain);
const superseded = fc.record(
  {
    identity,
    ageMs: fc.nat(100_000),
    why: fc.constantFrom('superseded by resumption', 'superseded by initial contact', 'replaced by another session'),
    old: fc.option(fc.record({ spiI: spi, spiR: spi }, plain), { nil: undefined }),
  },
  plain,
);
const questions: { readonly [K in Question['kind']]: fc.Arbitrary<Extract<Question, { kind: K }>> } = {
  fetch: fc.record(
    { kind: fc.constant('fetch'), ...asked, spiI: spi, spiR: spi, proof: fc.option(blob(0, 300), { nil: undefined }) },
    plain,
  ),
  settled: fc.record({ kind: fc.constant('settled'), ...asked, spiI: spi, spiR: spi }, plain),
  lease: fc.record({ kind: fc.constant('lease'), ...asked, leases }, plain),
  'leases?': fc.record({ kind: fc.constant('leases?'), ...asked, after: fc.option(address, { nil: undefined }) }, plain),
  superseded: fc.record({ kind: fc.constant('superseded'), ...asked, sessions: fc.array(superseded, { maxLength: 4 }) }, plain),
  spent: fc.record({ kind: fc.constant('spent'), ...asked, tickets: fc.array(spent, { maxLength: 4 }) }, plain),
};
const question: fc.Arbitrary<Question> = fc.oneof(...Object.values(questions));
const answers: { readonly [K in Answer['kind']]: fc.Arbitrary<Extract<Answer, { kind: K }>> } = {
  sa: fc.record({ kind: fc.constant('sa'), sa: blob(0, 3000), leftMs: fc.nat(30_000) }, plain),
  moved: fc.record({ kind: fc.constant('moved'), to: ordinal }, plain),
  gone: fc.constant({ kind: 'gone' }),
  unproven: fc.constant({ kind: 'unproven' }),
  repeat: fc.record({ kind: fc.constant('repeat'), datagrams: fc.array(blob(0, 300), { maxLength: 3 }) }, plain),
  leased: fc.record({ kind: fc.constant('leased'), refused: fc.array(address, { maxLength: 4 }) }, plain),
  leases: fc.record({ kind: fc.constant('leases'), leases, more: fc.boolean() }, plain),
  noted: fc.constant({ kind: 'noted' }),
};
const answer: fc.Arbitrary<Answer> = fc.oneof(...Object.values(answers));

const fetchSa: Extract<Question, { kind: 'fetch' }> = {
  kind: 'fetch',
  nonce: new Uint8Array(16).fill(1),
  from: 1,
  incarnation: new Uint8Array(16).fill(2),
  to: 0,
  at: NOW,
  spiI: '0011223344556677',
  spiR: '8899aabbccddeeff',
  proof: undefined,
};
const ours = new Uint8Array(16).fill(3);
const given: Answer = { kind: 'sa', sa: Uint8Array.of(1, 2, 3), leftMs: 30_000 };

describe('words between siblings', () => {
  it('are understood as they were said', () => {
    fc.assert(
      fc.property(question, answer, blob(16, 16), (one, other, incarnation) => {
        assert.deepEqual(openQuestion(keys, sealQuestion(sealing, one)), one);
        assert.deepEqual(openAnswer(keys, one, sealAnswer(sealing, one, incarnation, other)), { incarnation, answer: other });
      }),
    );
  });

  it('are understood while their key is next, active or retired, and by pods with the key only', () => {
    const [said, told] = [sealQuestion(sealing, fetchSa), sealAnswer(sealing, fetchSa, ours, given)];
    for (const known of [ringKey(1, 'next'), ringKey(1, 'retired')]) {
      const rotated = { ...keys, ring: ring(ringKey(2, 'active'), known) };
      assert.deepEqual(openQuestion(rotated, said), fetchSa);
      assert.deepEqual(openAnswer(rotated, fetchSa, told).answer, given);
    }
    const strangers = [
      { ...keys, ring: ring(ringKey(2, 'active')) },
      { ...keys, audience: 'another' },
    ];
    for (const stranger of strangers) {
      assert.throws(() => openQuestion(stranger, said), dropped);
      assert.throws(() => openAnswer(stranger, fetchSa, told), dropped);
    }
  });

  it('are dropped with any bit changed', () => {
    const [said, told] = [sealQuestion(sealing, fetchSa), sealAnswer(sealing, fetchSa, ours, given)];
    const flipped = (bytes: Bytes, bit: number) => bytes.map((byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
    for (let bit = 0; bit < 8 * said.length; bit += 5) assert.throws(() => openQuestion(keys, flipped(said, bit)), dropped);
    for (let bit = 0; bit < 8 * told.length; bit += 5)
      assert.throws(() => openAnswer(keys, fetchSa, flipped(told, bit)), dropped);
  });

  it('are dropped when they are of any other bytes', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          blob(0, 80),
          blob(0, 80).map((rest) => Uint8Array.of(1, 1, 0, 0, ...ringKey(1, 'active').id, ...rest)),
        ),
        (bytes) => {
          assert.throws(() => openQuestion(keys, bytes), dropped);
          assert.throws(() => openAnswer(keys, fetchSa, bytes), dropped);
        },
      ),
    );
  });

  it('do not show what they say', () => {
    assert.ok(!Buffer.from(sealQuestion(sealing, fetchSa)).includes(fetchSa.spiR));
  });
});

describe('an answer', () => {
  const told = sealAnswer(sealing, fetchSa, ours, given);

  const others: Record<string, Partial<Extract<Question, { kind: 'fetch' }>>> = {
    nonce: { nonce: new Uint8Array(16).fill(9) },
    asker: { from: 2 },
    'incarnation of the asker': { incarnation: new Uint8Array(16).fill(9) },
    'pod asked': { to: 2 },
    time: { at: (NOW + 1) as Instant },
    "initiator's SPI": { spiI: 'ffffffffffffffff' },
    "responder's SPI": { spiR: 'ffffffffffffffff' },
  };
  for (const [what, other] of Object.entries(others)) {
    it(`does not fit a question with another ${what}`, () => {
      assert.throws(() => openAnswer(keys, { ...fetchSa, ...other } as Question, told), dropped);
    });
  }

  it('is no question, and a question no answer', () => {
    assert.throws(() => openQuestion(keys, told), dropped);
    assert.throws(() => openAnswer(keys, fetchSa, sealQuestion(sealing, fetchSa)), dropped);
  });
});

describe('what a sibling of another version says', () => {
  const words: Plain[] = [
    null,
    'fetch',
    [],
    {},
    { ...fetchSa, kind: 'drain' },
    { ...fetchSa, nonce: 'nonce' },
    { ...fetchSa, from: '1' },
    { ...fetchSa, spiR: 7 },
    { ...fetchSa, at: '5' },
    { ...fetchSa, kind: 'lease', leases: {} },
    { ...fetchSa, kind: 'leases?', after: '10.8.0.2' },
    { ...fetchSa, kind: 'spent', tickets: [{ id: 'id', until: NOW }] },
    {
      ...fetchSa,
      kind: 'lease',
      leases: [{ address: Uint8Array.of(10, 8, 0, 2), identity: '2:00', forMs: 'soon', ageMs: 5, oldSpi: undefined }],
    },
    {
      ...fetchSa,
      kind: 'lease',
      leases: [{ address: Uint8Array.of(10, 8, 0, 2), identity: '2:00', forMs: 5, ageMs: 5, oldSpi: 5 }],
    },
  ];
  it('is dropped when it is no question that we know', () => {
    for (const one of words) assert.throws(() => parseQuestion(one), dropped, JSON.stringify(one));
  });

  it('is dropped when its header is of another version, however well it was sealed', () => {
    const header = Uint8Array.of(2, 1, 0, 0, ...ringKey(1, 'active').id);
    const key = crypto.sealing.subkey(new Uint8Array(32).fill(1), 'hand-off', AUDIENCE);
    const sealed = crypto.sealing.seal(key, new Uint8Array(24), encodeCbor(fetchSa), header);
    assert.throws(() => openQuestion(keys, concat(header, new Uint8Array(24), sealed)), dropped);
    header[0] = 1;
    const same = crypto.sealing.seal(key, new Uint8Array(24), encodeCbor(fetchSa), header);
    assert.deepEqual(openQuestion(keys, concat(header, new Uint8Array(24), same)), fetchSa);
  });

  it('is dropped when it is no answer that we know', () => {
    const answered: Plain[] = [
      { kind: 'no' },
      { kind: 'sa' },
      { kind: 'sa', sa: Uint8Array.of(1), leftMs: 'long' },
      { kind: 'leases', leases: [], more: 1 },
      { kind: 'moved', to: '1' },
      { kind: 'leased', refused: ['10.8.0.2'] },
      null,
    ];
    for (const one of answered)
      assert.throws(() => parseAnswer({ incarnation: ours, answer: one }), dropped, JSON.stringify(one));
    assert.throws(() => parseAnswer({ incarnation: 5, answer: { kind: 'gone' } }), dropped);
    assert.throws(() => parseAnswer(null), dropped);
  });
});
