/** Subkeys of the key ring (RFC 5723 §9.5: a key is "used for nothing else"): one per key, purpose and audience; a ring secret is only ever input to HKDF. */
import type { KeyRing, RingKey } from '../contract/key-ring.ts';
import type { Cryptography } from './crypto/cryptography.ts';
import { type Bytes, equalBytes, hex } from './wire/bytes.ts';

type Purpose = 'ticket' | 'hand-off' | 'cookie' | 'spi';

export interface KeySubkeys {
  readonly key: RingKey;
  /** The key's id in hex, for events and metrics. */
  readonly id: string;
  /** 32 bytes, derived when first asked for. */
  subkey(purpose: Purpose): Bytes;
}

export interface RingSubkeys {
  /** The one that seals. */
  readonly active: KeySubkeys;
  /** The active one first: it is the likeliest. */
  readonly all: readonly KeySubkeys[];
  byId(id: Bytes): KeySubkeys | undefined;
}

/** Derived subkeys live as long as the ring that they came from. */
const cache = new WeakMap<KeyRing, Map<string, RingSubkeys>>();

/** The same ring, audience and purpose give the same subkey in every pod, whichever provider derives it. @throws RangeError for a ring that breaks its contract: one key is active. */
export function subkeys(ring: KeyRing, audience: string, crypto: Cryptography): RingSubkeys {
  let byAudience = cache.get(ring);
  if (byAudience === undefined) {
    byAudience = new Map();
    cache.set(ring, byAudience);
  }
  let found = byAudience.get(audience);
  if (found === undefined) {
    found = ringSubkeys(ring, audience, crypto);
    byAudience.set(audience, found);
  }
  return found;
}

function ringSubkeys(ring: KeyRing, audience: string, crypto: Cryptography): RingSubkeys {
  const known = ring.keys.map((key) => keySubkeys(key, audience, crypto));
  const active = known.find(({ key }) => key.state === 'active');
  if (active === undefined) throw new RangeError('a key ring without an active key');
  const all = [active, ...known.filter((one) => one !== active)];
  return {
    active,
    all,
    byId: (id) => all.find(({ key }) => equalBytes(key.id, id)),
  };
}

function keySubkeys(key: RingKey, audience: string, crypto: Cryptography): KeySubkeys {
  const derived = new Map<Purpose, Bytes>();
  return {
    key,
    id: hex(key.id),
    subkey(purpose) {
      const known = derived.get(purpose);
      if (known !== undefined) return known;
      const subkey = crypto.sealing.subkey(key.secret.expose(), purpose, audience);
      derived.set(purpose, subkey);
      return subkey;
    },
  };
}
