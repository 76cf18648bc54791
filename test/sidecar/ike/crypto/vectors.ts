/** Published vectors (test/vectors) and the providers that each of them runs over. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cryptography } from '../../../../sidecar/ike/crypto/cryptographies.ts';
import type { Cryptography } from '../../../../sidecar/ike/crypto/cryptography.ts';
import type { Bytes } from '../../../../sidecar/ike/wire/bytes.ts';

export const noble = cryptography('noble');
export const openssl = cryptography('openssl');
/** The fastest one: OpenSSL called directly, where the tests run. */
export const libcrypto = cryptography('auto');
export const providers: readonly Cryptography[] = [noble, openssl, libcrypto];

/** Fields are text; bytes are in hex. */
export function vectors<T>(file: string): readonly T[] {
  return JSON.parse(readFileSync(join(import.meta.dirname, '../../../vectors', file), 'utf8')).tests;
}

/** What Wycheproof says of a test. */
export interface Verdict {
  readonly tcId: number;
  readonly comment: string;
  readonly flags: readonly string[];
  readonly result: 'valid' | 'invalid' | 'acceptable';
}

export function there<T>(algorithm: T | undefined): T {
  if (algorithm === undefined) throw new Error('an algorithm is missing');
  return algorithm;
}

/** Bytes of a network buffer do not begin at an address that suits words. */
export function unaligned(bytes: Bytes): Bytes {
  const wider = new Uint8Array(bytes.length + 3);
  wider.set(bytes, 3);
  return wider.subarray(3);
}
