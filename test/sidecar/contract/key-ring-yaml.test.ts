/** `key-ring.yaml`: read back as written, refused wherever a write may have been cut off or an editor slipped, and never repeated in a problem. */
import assert from 'node:assert/strict';
import { createHash, createHmac, hkdfSync } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { acknowledgement } from '../../../sidecar/contract/acknowledgement.ts';
import type { KeyRing, RingKey } from '../../../sidecar/contract/key-ring.ts';
import { encodeKeyRing, parseKeyRing } from '../../../sidecar/contract/key-ring-yaml.ts';
import { formatProblem } from '../../../sidecar/contract/problem.ts';
import { Secret } from '../../../sidecar/contract/secret.ts';

const key = (n: number, state: RingKey['state'], openUntil?: number): RingKey => ({
  id: new Uint8Array(8).fill(n),
  algorithm: 'XChaCha20-Poly1305',
  state,
  secret: new Secret(new Uint8Array(32).fill(0x40 + n)),
  createdAt: Date.UTC(2030, 0, n),
  openUntil,
});
const ring: KeyRing = {
  ringId: '7c9e',
  generation: 3,
  keys: [key(1, 'retired', Date.UTC(2030, 0, 9)), key(2, 'active'), key(3, 'next')],
  revoked: [{ id: new Uint8Array(8).fill(9), until: Date.UTC(2030, 1, 1) }],
  revokedBefore: Date.UTC(2029, 0, 1),
};
const problems = (yaml: string): readonly string[] => {
  const parsed = parseKeyRing('key-ring.yaml', yaml);
  return parsed.ok ? [] : parsed.problems.map(formatProblem);
};
/** Secrets do not compare by themselves. */
const exposed = ({ keys, ...rest }: KeyRing) => ({ ...rest, keys: keys.map((k) => ({ ...k, secret: k.secret.expose() })) });

describe('key-ring.yaml', () => {
  it('comes back as it was written', () => {
    fc.assert(
      fc.property(rings(), (value) => {
        const parsed = parseKeyRing('key-ring.yaml', encodeKeyRing(value));
        assert.ok(parsed.ok);
        assert.deepEqual(exposed(parsed.value), exposed(value));
      }),
      { numRuns: 50 },
    );
  });

  it('is refused wherever it is cut off', () => {
    const whole = encodeKeyRing(ring);
    for (let length = 0; length < whole.length - 1; length++) {
      assert.equal(parseKeyRing('key-ring.yaml', whole.slice(0, length)).ok, false, `cut after ${length} characters`);
    }
  });

  it('is refused when a part of it is missing in the middle', () => {
    const lines = encodeKeyRing(ring).split('\n');
    for (let line = 0; line < lines.length - 1; line++) {
      assert.equal(parseKeyRing('key-ring.yaml', lines.toSpliced(line, 1).join('\n')).ok, false, `without ${lines[line]}`);
    }
  });

  it('is refused when a value is changed by hand', () => {
    const changed = encodeKeyRing(ring).replace('generation: 3', 'generation: 4');
    assert.deepEqual(problems(changed), [
      'key-ring.yaml: digest: does not fit the content; write the file whole; a ring that is changed by hand needs a new digest',
    ]);
  });

  it('may be laid out and commented in any way', () => {
    const commented = `# Ours.\n${encodeKeyRing(ring).replace('generation: 3', 'generation:   3 # third')}`;
    assert.deepEqual(problems(commented), []);
  });

  it('has exactly one active key, and each id once', () => {
    const written = (keys: readonly RingKey[]): readonly string[] => problems(encodeKeyRing({ ...ring, keys }));
    assert.deepEqual(written([key(1, 'next')]), ['key-ring.yaml: keys: 0 keys are active; exactly one must be']);
    assert.deepEqual(written([key(1, 'active'), key(2, 'active')]), [
      'key-ring.yaml: keys: 2 keys are active; exactly one must be',
    ]);
    assert.deepEqual(written([]), ['key-ring.yaml: keys: 0 items; list at least 1']);
    assert.deepEqual(written([key(1, 'active'), key(1, 'next')]), [
      'key-ring.yaml: keys[1].id: the same as that of keys[0]: "0101010101010101"; give each key an id of its own',
    ]);
    assert.deepEqual(written([key(9, 'active')]), [
      'key-ring.yaml: revoked[0].id: the same as that of keys[0]: "0909090909090909"; give each key an id of its own',
    ]);
    assert.deepEqual(written([key(1, 'active', Date.UTC(2031, 0, 1))]), [
      'key-ring.yaml: keys[0].openUntil: set on a key that is active; only a retired key has an end',
    ]);
  });

  it('is refused without a word of a secret', () => {
    const secret = Buffer.from(new Uint8Array(32).fill(0x42)).toString('base64');
    const broken = [
      encodeKeyRing(ring).replace(`secret: ${secret}`, `secret: ${secret.slice(4)}`),
      encodeKeyRing(ring).replace(`secret: ${secret}`, `secret: !${secret}`),
      encodeKeyRing(ring).replace(`secret: ${secret}`, `secret: *${secret}`),
      encodeKeyRing(ring).replace(`secret: ${secret}`, `secret: "${secret}`),
      encodeKeyRing(ring).replace(`secret: ${secret}`, `secret: [${secret}]`),
      encodeKeyRing(ring).replace(`secret: ${secret}`, `  ${secret}: 1`),
    ];
    for (const yaml of broken) {
      const said = problems(yaml);
      assert.notEqual(said.length, 0);
      assert.doesNotMatch(said.join('\n'), new RegExp(secret.slice(8, 20)));
    }
    assert.deepEqual(problems(broken[0]!), [
      'key-ring.yaml: keys[1].secret: not 32 bytes in base64; write the base64 form of 32 random bytes',
    ]);
  });

  it('does not take digits for an id', () => {
    const yaml = encodeKeyRing(ring).replace("'0202020202020202'", '0202020202020202');
    assert.deepEqual(problems(yaml), ['key-ring.yaml: keys[1].id: not a text: a number; write 16 hexadecimal digits, in quotes']);
  });
});

describe('an acknowledgement', () => {
  it('is known: HMAC-SHA256 under a subkey of all secrets', () => {
    const subkey = hkdfSync('sha256', Buffer.concat(ring.keys.map(({ secret }) => secret.expose())), '', 'ack', 32);
    const ids = createHash('sha256').update(Buffer.concat(ring.keys.map(({ id }) => id)));
    const said = createHmac('sha256', Buffer.from(subkey)).update(`["uid","7c9e",3,"${ids.digest('hex')}"]`);
    assert.equal(acknowledgement(ring, 'uid'), said.digest('hex'));
  });

  it('says nothing about the order of the keys', () => {
    assert.equal(acknowledgement({ ...ring, keys: ring.keys.toReversed() }, 'uid'), acknowledgement(ring, 'uid'));
  });

  it('differs for another pod, ring, generation, key and secret', () => {
    const others = [
      acknowledgement(ring, 'uid'),
      acknowledgement(ring, 'uid2'),
      acknowledgement({ ...ring, ringId: 'x' }, 'uid'),
      acknowledgement({ ...ring, generation: 4 }, 'uid'),
      acknowledgement({ ...ring, keys: ring.keys.slice(1) }, 'uid'),
      acknowledgement(
        { ...ring, keys: [key(1, 'active'), { ...key(2, 'next'), secret: new Secret(new Uint8Array(32)) }, key(3, 'next')] },
        'uid',
      ),
    ];
    assert.equal(new Set(others).size, others.length);
  });
});

const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
const instant = (): fc.Arbitrary<number> => fc.integer({ min: 0, max: Date.UTC(2100, 0) });

const rings = (): fc.Arbitrary<KeyRing> =>
  fc
    .record({
      ringId: fc.stringMatching(/^[!-~]{1,64}$/),
      generation: fc.nat(),
      ids: fc.uniqueArray(bytes(8), { minLength: 2, maxLength: 8, selector: (id) => id.join() }),
      secret: bytes(32),
      at: instant(),
      states: fc.array(fc.constantFrom<RingKey['state']>('next', 'retired'), { minLength: 8, maxLength: 8 }),
      openUntil: fc.option(instant(), { nil: undefined }),
      revokedBefore: instant(),
    })
    .map(({ ids, ringId, generation, secret, at, states, openUntil, revokedBefore }) => ({
      ringId,
      generation,
      keys: ids.slice(1).map((id, index) => {
        const state = index === 0 ? 'active' : (states[index] ?? 'next');
        return {
          id,
          algorithm: 'XChaCha20-Poly1305',
          state,
          secret: new Secret(secret),
          createdAt: at,
          openUntil: state === 'retired' ? openUntil : undefined,
        };
      }),
      revoked: ids.slice(0, 1).map((id) => ({ id, until: at })),
      revokedBefore,
    }));
