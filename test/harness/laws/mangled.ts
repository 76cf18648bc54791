/** Honest bytes with something wrong in them, and noise: what strangers, broken networks and other versions send. */
import fc from 'fast-check';
import { type Bytes, concat } from '../../../sidecar/ike/wire/bytes.ts';
import { blob } from '../arbitrary-payload.ts';

/** One of `honest` with bits turned over, cut off, or with something between or behind; seldom as it was. */
export const mangled = (honest: readonly Bytes[]): fc.Arbitrary<{ readonly honest: Bytes; readonly bytes: Bytes }> =>
  fc
    .record({
      original: fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...honest) }, { weight: 1, arbitrary: blob(0, 200) }),
      flips: fc.array(fc.tuple(fc.nat(600), fc.integer({ min: 1, max: 255 })), { maxLength: 4 }),
      length: fc.option(fc.nat(600), { nil: undefined, freq: 3 }),
      insert: fc.option(fc.tuple(fc.nat(600), blob(1, 8)), { nil: undefined, freq: 3 }),
      tail: blob(0, 3),
    })
    .map(({ original, flips, length, insert, tail }) => {
      const cut = original.slice(0, length ?? original.length);
      const [at, inserted] = insert ?? [0, new Uint8Array(0)];
      const bytes = concat(cut.subarray(0, at), inserted, cut.subarray(at), tail);
      for (const [index, mask] of flips) if (index < bytes.length) bytes[index] = (bytes[index] ?? 0) ^ mask;
      return { honest: original, bytes };
    });
