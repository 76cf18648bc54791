/** Key rings of the scenarios: which of two keys seals, which only opens, which is revoked. */
import type { KeyRing } from '../../../sidecar/contract/key-ring.ts';
import { hex } from '../../../sidecar/ike/wire/bytes.ts';
import { ring, ringKey } from '../../harness/policy.ts';

const HOUR = 3_600_000;
const in2Hours = (): number => Date.now() + 2 * HOUR;

export const FIRST_KEY = hex(ringKey(1, 'active').id);
export const SECOND_KEY = hex(ringKey(2, 'active').id);

/** The first key alone. */
export const fresh = (): KeyRing => ring({ generation: 1 });

/** The second key seals, tickets of the first still open. */
export const rotated = (): KeyRing => ring({ generation: 2, keys: [ringKey(1, 'retired', in2Hours()), ringKey(2, 'active')] });

/** The first key is gone for good. */
export const revoked = (): KeyRing =>
  ring({ generation: 3, keys: [ringKey(2, 'active')], revoked: [{ id: ringKey(1, 'active').id, until: in2Hours() }] });

/** Both keys are good, tickets from before now are not. */
export const revokedBefore = (): KeyRing => ring({ generation: 3, revokedBefore: Date.now() });
