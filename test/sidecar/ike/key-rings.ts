/** Key rings, and what else the tests of sealed things need. */
import type { KeyRing, RingKey } from '../../../sidecar/contract/key-ring.ts';
import { Secret } from '../../../sidecar/contract/secret.ts';
import { cryptography } from '../../../sidecar/ike/crypto/cryptographies.ts';
import type { Instant } from '../../../sidecar/ike/sa.ts';

export const crypto = cryptography('auto');
export const NOW = 1_800_000_000_000 as Instant;
export const AUDIENCE = 'c0ffee00-0000-4000-8000-000000000001';

/** A key whose id and secret are made of one byte. */
export const ringKey = (byte: number, state: RingKey['state'], openUntil?: number): RingKey => ({
  id: new Uint8Array(8).fill(byte),
  algorithm: 'XChaCha20-Poly1305',
  state,
  secret: new Secret(new Uint8Array(32).fill(byte)),
  createdAt: NOW - 1000,
  openUntil,
});

export const ring = (...keys: readonly RingKey[]): KeyRing => ({
  ringId: 'ring',
  generation: 1,
  keys,
  revoked: [],
  revokedBefore: 0,
});

/** Bytes that count up, so that no two draws are alike and every run is. */
export function counting(): (length: number) => Uint8Array {
  let next = 0;
  return (length) => Uint8Array.from({ length }, () => next++ % 251);
}
