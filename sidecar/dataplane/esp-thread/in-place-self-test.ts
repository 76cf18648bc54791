/** Before packets depend on them: what ciphers in place seal, the provider opens, whose own self-test has known answers; and the other way round. */
import type { ChildSa } from '../../contract/dataplane.ts';
import type { Bytes } from '../../ike/wire/bytes.ts';
import { Encr, Integ } from '../../ike/wire/registry.ts';
import { HEADROOM } from '../userspace/arena.ts';
import { headOf, openEsp, sealEsp } from '../userspace/esp.ts';
import type { EspCiphers } from '../userspace/esp-cipher.ts';
import type { NativeArena } from './native.ts';

interface Sample {
  readonly suite: ChildSa['suite'];
  readonly keys: ChildSa['keyIn'];
}

const KEY = (length: number): Bytes => Uint8Array.from({ length }, (_, at) => at * 7 + 1);
const sample = (encr: number, keyBits: number, integ: number, lengths: readonly [number, number], esn: boolean): Sample => ({
  suite: { encr, keyBits, integ, esn },
  keys: { encr: KEY(lengths[0]), integ: KEY(lengths[1]) },
});
const SAMPLES: readonly Sample[] = [false, true].flatMap((esn) => [
  sample(Encr.AES_GCM_16, 128, Integ.NONE, [20, 0], esn),
  sample(Encr.AES_GCM_16, 256, Integ.NONE, [36, 0], esn),
  sample(Encr.CHACHA20_POLY1305, 0, Integ.NONE, [36, 0], esn),
  sample(Encr.AES_CBC, 128, Integ.HMAC_SHA2_256_128, [16, 32], esn),
  sample(Encr.AES_CBC, 256, Integ.HMAC_SHA2_384_192, [32, 48], esn),
  sample(Encr.AES_CBC, 256, Integ.HMAC_SHA2_512_256, [32, 64], esn),
]);
const SPI = 0x0102_0304;
const SEQUENCE = 0x5_0000_0006;
const LENGTH = 83;

/** Whether they agree, on packets of a few hundred bytes at `place`. */
export function agree(arena: NativeArena, place: number, ours: EspCiphers, theirs: EspCiphers): boolean {
  return SAMPLES.every(
    (one) =>
      passes(arena, place, one, ours, theirs) && passes(arena, place, one, theirs, ours) && refuses(arena, place, one, ours),
  );
}

function passes(arena: NativeArena, place: number, one: Sample, from: EspCiphers, to: EspCiphers): boolean {
  const at = place + HEADROOM;
  const plain = KEY(LENGTH);
  const { start, length } = sealed(arena, at, one, from, plain);
  const opening = to.inbound(one.suite, one.keys);
  try {
    const opened = openEsp(arena, opening, start, length, SEQUENCE);
    return opened === LENGTH && plain.every((byte, index) => arena.bytes[at + index] === byte);
  } finally {
    opening.free();
  }
}

/** One that was changed on its way. */
function refuses(arena: NativeArena, place: number, one: Sample, ours: EspCiphers): boolean {
  const { start, length } = sealed(arena, place + HEADROOM, one, ours, KEY(LENGTH));
  arena.view.setUint8(start + length - 1, arena.view.getUint8(start + length - 1) ^ 1);
  const opening = ours.inbound(one.suite, one.keys);
  try {
    return openEsp(arena, opening, start, length, SEQUENCE) === 'authentication';
  } finally {
    opening.free();
  }
}

function sealed(
  arena: NativeArena,
  at: number,
  { suite, keys }: Sample,
  by: EspCiphers,
  plain: Bytes,
): { readonly start: number; readonly length: number } {
  const sealing = by.outbound(suite, keys);
  try {
    arena.bytes.set(plain, at);
    return { start: at - headOf(sealing), length: sealEsp(arena, sealing, SPI, SEQUENCE, at, plain.length, 4) };
  } finally {
    sealing.free();
  }
}
