/** How a pod proves that it has loaded a key ring: pod addresses are reused and /status is not authenticated, so the operator checks a MAC that only a holder of the ring can make. */
import { hkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import type { KeyRing } from './key-ring.ts';

/** Hex of HMAC-SHA256 over pod, ring, generation and key ids, under a subkey of all secrets of the ring. Compare it in constant time. */
export function acknowledgement(ring: KeyRing, podUid: string): string {
  const keys = [...ring.keys].sort((a, b) => compare(bytesToHex(a.id), bytesToHex(b.id)));
  const secrets = concatBytes(...keys.map((key) => key.secret.expose()));
  const subkey = hkdf(sha256, secrets, undefined, utf8ToBytes('ack'), 32);
  const ids = bytesToHex(sha256(concatBytes(...keys.map((key) => key.id))));
  return bytesToHex(hmac(sha256, subkey, utf8ToBytes(JSON.stringify([podUid, ring.ringId, ring.generation, ids]))));
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
